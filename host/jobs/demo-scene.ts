import { calibrationFiles, calibrationFromShots, loadScenePictures } from '../evaluate/calibration.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import type { InputRule } from '../vision/letterbox.js'
import { calibrationShots, demoShots, SCENE_WIDTH, type SceneShot, scenePictures } from '../zoo/scene.js'

/** Photographs and crops that a virtual camera pans over; same fields as its scene. */
export interface DemoScene {
  readonly pictures: readonly PlanarPicture[]
  readonly shots: readonly SceneShot[]
}

const CALIBRATION_SEED = 77

const photographs = (): Promise<PlanarPicture[]> => loadScenePictures(scenePictures(), SCENE_WIDTH)

/** The scene of the demo's camera. */
export async function demoScene(seed?: number): Promise<DemoScene> {
  return { pictures: await photographs(), shots: demoShots(seed) }
}

/** A scene is held in memory whole. */
const MOST_PICTURES = 100

/** The largest 4:3 part of a picture, from its middle. */
function wholeShot({ width, height }: PlanarPicture, picture: number): SceneShot {
  const crop = Math.min(width, (height * 4) / 3)
  return { picture, x: (width - crop) / 2, y: (height - crop * 0.75) / 2, width: crop, mirrored: false, gain: 1 }
}

/** Pictures of a folder, in the order of their names, as a scene: each is seen whole (its 4:3 middle) for a while. */
export async function folderScene(folder: string): Promise<DemoScene> {
  const files = await calibrationFiles(folder, MOST_PICTURES)
  const pictures = await loadScenePictures(
    files.map((file) => ({ file })),
    SCENE_WIDTH,
  )
  return { pictures, shots: pictures.map(wholeShot) }
}

/** Camera pictures of crops that the demo never shows, as planar pictures at a network's size. */
export async function demoCalibration(input: InputRule, count: number): Promise<PlanarPicture[]> {
  return calibrationFromShots(await photographs(), calibrationShots(CALIBRATION_SEED, count), input)
}
