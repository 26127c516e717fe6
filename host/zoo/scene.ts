import { packagedFilePath } from './package-files.js'
import { type FaceRectangle, SCENE_PICTURES, type ScenePicture } from './scene-faces.js'
import { TINY_FACE_PACKAGE } from './tiny-face.js'

/** A 4:3 crop of a scene picture as the camera sees it; same fields as the virtual board's camera takes. */
export interface SceneShot {
  /** Index into {@link SCENE_PICTURES}. */
  readonly picture: number
  /** Left and top edge and width in pixels of the picture scaled to {@link SCENE_WIDTH}; height = 3/4 width. */
  readonly x: number
  readonly y: number
  readonly width: number
  readonly mirrored: boolean
  /** Factor on the brightness. */
  readonly gain: number
}

/** Width to which the photographs are scaled before shots are cut: one pixel of it is about one of the camera. */
export const SCENE_WIDTH = 960

const CAMERA_WIDTH = 320

/** Of the first eight seeds the one that shows faces, found by the float network, in most frames (98 %). */
export const DEMO_SEED = 5

/** Shots that the demo shows of one picture, before it cuts to the next. */
const SHOTS_A_PICTURE = 4

/** How shots are drawn at random: face height in camera pixels, where the face's centre may lie, brightness. */
interface ShotRange {
  readonly faceHeight: readonly [number, number]
  /** Share of the crop's width and height. */
  readonly centreX: readonly [number, number]
  readonly centreY: readonly [number, number]
  readonly gain: readonly [number, number]
}

const DEMO_RANGE: ShotRange = {
  faceHeight: [64, 132],
  centreX: [0.35, 0.65],
  centreY: [0.35, 0.6],
  gain: [0.85, 1.2],
}

/** Wider than the demo's in every respect, so that the ranges it yields hold for what the demo shows. */
const CALIBRATION_RANGE: ShotRange = {
  faceHeight: [50, 160],
  centreX: [0.2, 0.8],
  centreY: [0.25, 0.75],
  gain: [0.65, 1.45],
}

/** A calibration crop that shares more of its area (IoU) with a demo shot is drawn again. */
const MAX_SHARED = 0.75

/** Mulberry32: 32-bit state, uniform in 0..1. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const within = (random: () => number, [low, high]: readonly [number, number]): number => low + (high - low) * random()

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high)

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

/** A shot that shows `face` at a drawn size and place, inside the picture. */
function shotOf(
  index: number,
  face: FaceRectangle,
  mirrored: boolean,
  range: ShotRange,
  random: () => number,
): SceneShot {
  const picture = SCENE_PICTURES[index]!
  const scale = SCENE_WIDTH / picture.width
  const sceneHeight = picture.height * scale
  const [x, y, faceWidth, faceHeight] = face.map((value) => value * scale) as [number, number, number, number]
  const wished = (faceHeight / within(random, range.faceHeight)) * CAMERA_WIDTH
  const width = Math.min(wished, SCENE_WIDTH, (sceneHeight * 4) / 3)
  const height = (width * 3) / 4
  const left = x + faceWidth / 2 - within(random, range.centreX) * width
  const top = y + faceHeight / 2 - within(random, range.centreY) * height
  return {
    picture: index,
    x: round(clamp(left, 0, SCENE_WIDTH - width), 1),
    y: round(clamp(top, 0, sceneHeight - height), 1),
    width: round(width, 1),
    mirrored,
    gain: round(within(random, range.gain), 3),
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const out = [...items]
  for (let i = out.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1))
    ;[out[i], out[other]] = [out[other]!, out[i]!]
  }
  return out
}

/**
 * What the demo's camera shows: shot after shot, a few of one picture (so that the camera pans and zooms from face to
 * face), then the next picture; the second round is mirrored. Faces in focus are 64 to 132 pixels high.
 */
export function demoShots(seed = DEMO_SEED): SceneShot[] {
  const random = seededRandom(seed)
  const order = shuffled(
    SCENE_PICTURES.map((_, index) => index),
    random,
  )
  return [false, true].flatMap((mirrored) =>
    order.flatMap((index) => {
      const faces = shuffled(SCENE_PICTURES[index]!.faces, random)
      return Array.from({ length: SHOTS_A_PICTURE }, (_, i) =>
        shotOf(index, faces[i % faces.length]!, mirrored, DEMO_RANGE, random),
      )
    }),
  )
}

/** Intersection over union of two shots of the same picture and side; 0 for others. */
export function sharedArea(a: SceneShot, b: SceneShot): number {
  if (a.picture !== b.picture || a.mirrored !== b.mirrored) return 0
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
  const height = Math.min(a.y + a.width * 0.75, b.y + b.width * 0.75) - Math.max(a.y, b.y)
  if (width <= 0 || height <= 0) return 0
  return (width * height) / (0.75 * (a.width ** 2 + b.width ** 2) - width * height)
}

/**
 * Crops for calibration: the same photographs at other places, sizes (faces 50 to 160 pixels high) and gains (0.65 to
 * 1.45) than the demo's. None shares more than three quarters (IoU) with a key shot of {@link demoShots}(1).
 * @param count - how many; faces take turns
 */
export function calibrationShots(seed = 1, count = 96): SceneShot[] {
  // The demo's stream starts at small seeds; this one must not repeat it.
  const random = seededRandom(seed + 0x5eed_0000)
  const demo = demoShots()
  const targets = SCENE_PICTURES.flatMap(({ faces }, picture) => faces.map((face) => ({ picture, face })))
  const shots: SceneShot[] = []
  while (shots.length < count) {
    const { picture, face } = targets[shots.length % targets.length]!
    const shot = shotOf(picture, face, random() < 0.5, CALIBRATION_RANGE, random)
    if (demo.every((other) => sharedArea(shot, other) <= MAX_SHARED)) shots.push(shot)
  }
  return shots
}

/** The scene's photographs with the absolute path of each. @throws BridgeError `NOT_FOUND` without the package */
export function scenePictures(): (ScenePicture & { readonly file: string })[] {
  return SCENE_PICTURES.map((picture) => ({ ...picture, file: packagedFilePath(TINY_FACE_PACKAGE, picture) }))
}
