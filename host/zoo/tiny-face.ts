import { CARD_SCHEMA, type ModelCard } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import { GraphBuilder } from '../ir/builder.js'
import type { Graph } from '../ir/graph.js'
import { evenPads, square } from '../ir/op.js'
import { type PackagedFile, readPackagedFile } from './package-files.js'
import { readTfjsWeights, type TfjsTensor, toOihw } from './tfjs-weights.js'

/** Package that ships the tiny face detector's weights. */
export const TINY_FACE_PACKAGE = '@vladmandic/face-api'

/** The detector's files in that package, version 1.7.15. */
export const TINY_FACE_FILES: { readonly weights: PackagedFile; readonly manifest: PackagedFile } = {
  weights: {
    path: 'model/tiny_face_detector_model.bin',
    bytes: 193321,
    sha256: 'b7503ce7df31039b1c43316a9b865cab6a70dd748cc602d3fa28b551503c3871',
  },
  manifest: {
    path: 'model/tiny_face_detector_model-weights_manifest.json',
    bytes: 3219,
    sha256: '5d1af4849ac48d5b985f4a9b16010c512353ddd6fcc63d50fd0bc9e9e64296e5',
  },
}

/** Pixels of the network's input a cell of its output. */
const STRIDE = 32

/** Width and height of the boxes that the five anchors stand for, in cells. */
const ANCHORS = [
  [1.603231, 2.094468],
  [6.041143, 7.080126],
  [2.882459, 3.518061],
  [4.266906, 5.178857],
  [9.041765, 10.66308],
] as const

/** Mean pixel (R, G, B) and divisor of the training's input rule. */
const MEAN = [117.001, 114.697, 97.404]
const STD = [256, 256, 256]

const LEAKY_SLOPE = 0.1

/** Input size in pixels; both are multiples of 32. */
export interface TinyFaceSize {
  readonly width: number
  readonly height: number
}

/** The size in a network id such as `tiny-face-320x256`, or undefined when it is no such id. */
export function tinyFaceSize(id: string): TinyFaceSize | undefined {
  const match = /^tiny-face-(\d+)x(\d+)$/.exec(id)
  return match ? { width: Number(match[1]), height: Number(match[2]) } : undefined
}

function checkSize({ width, height }: TinyFaceSize): void {
  const fits = [width, height].every((size) => Number.isInteger(size) && size >= STRIDE && size % STRIDE === 0)
  if (fits) return
  throw new BridgeError('USAGE', {
    what: `the tiny face detector takes sizes that are multiples of ${STRIDE}, not ${width}x${height}`,
    where: { width, height },
    fix: 'Use 320x256 or 320x224 for a QVGA camera.',
  })
}

/** The detector as the training tools run it, with padding that the KPU has too. */
class TinyFaceGraph {
  readonly #builder: GraphBuilder
  readonly #weights: ReadonlyMap<string, TfjsTensor>

  constructor(name: string, weights: ReadonlyMap<string, TfjsTensor>) {
    this.#builder = new GraphBuilder(name)
    this.#weights = weights
  }

  build({ width, height }: TinyFaceSize): Graph {
    let x = this.#builder.input('input', [1, 3, height, width])
    x = this.#leaky(this.#conv(x, 'conv0', 'conv0/filters', 'conv0/bias'), 'conv0')
    for (let i = 1; i <= 5; i++) x = this.#separable(this.#halve(x, i), `conv${i}`)
    // The last pool keeps the size: stride 1, one pixel repeated by padding at the right and the bottom.
    const pads = { top: 0, left: 0, bottom: 1, right: 1 }
    x = this.#builder.maxPool(x, square(2), square(1), { pads }, 'pool6')
    x = this.#conv(x, 'output', 'conv8/filters', 'conv8/bias')
    return this.#builder.output(x).build()
  }

  #halve(x: string, index: number): string {
    return this.#builder.maxPool(x, square(2), square(2), {}, `pool${index}`)
  }

  #separable(x: string, name: string): string {
    const depthwise = this.#conv(x, `${name}/depthwise`, `${name}/depthwise_filter`)
    return this.#leaky(this.#conv(depthwise, `${name}/pointwise`, `${name}/pointwise_filter`, `${name}/bias`), name)
  }

  #leaky(x: string, name: string): string {
    return this.#builder.activation(x, { fn: 'leakyRelu', slope: LEAKY_SLOPE }, `${name}/leaky`)
  }

  #conv(x: string, name: string, filter: string, bias?: string): string {
    const depthwise = filter.endsWith('depthwise_filter')
    const { shape, data } = toOihw(this.#tensor(filter), depthwise)
    return this.#builder.conv2d(
      x,
      {
        weights: data,
        shape,
        bias: bias === undefined ? undefined : this.#tensor(bias).data,
        pads: evenPads((shape[2] - 1) / 2),
        groups: depthwise ? shape[0] : 1,
      },
      name,
    )
  }

  #tensor(name: string): TfjsTensor {
    const tensor = this.#weights.get(name)
    if (!tensor) throw new BridgeError('FILE_FORMAT', { what: `the weight file has no tensor ${name}` })
    return tensor
  }
}

/**
 * The tiny face detector of the npm package @vladmandic/face-api as a graph: 3x3 convolution, five depthwise-separable
 * blocks, LeakyReLU 0.1, six max pools, a 1x1 head of 5 anchors x (tx, ty, tw, th, objectness).
 *
 * The original convolves its first layer without padding; here it has one pixel of padding like the others, which
 * moves boxes by one pixel and lets the KPU run every layer.
 * @returns graph with input `input` [1, 3, height, width] (normalised RGB) and output `output` [1, 25, height/32, width/32]
 * @throws BridgeError `USAGE` for other sizes, `NOT_FOUND` or `FILE_FORMAT` for the package's files
 */
export async function buildTinyFace(id: string, size: TinyFaceSize): Promise<Graph> {
  checkSize(size)
  const weights = await readPackagedFile(TINY_FACE_PACKAGE, TINY_FACE_FILES.weights)
  const manifest = await readPackagedFile(TINY_FACE_PACKAGE, TINY_FACE_FILES.manifest)
  return new TinyFaceGraph(id, readTfjsWeights(weights, new TextDecoder().decode(manifest))).build(size)
}

/** Card of the float network at that size. */
export function tinyFaceCard(id: string, size: TinyFaceSize): ModelCard {
  checkSize(size)
  const { width, height } = size
  return {
    schema: CARD_SCHEMA,
    name: id,
    task: 'face-detect',
    input: { width, height, colour: 'rgb', resize: 'letterbox', fill: 0, mean: MEAN, std: STD, scale: 1, zeroPoint: 0 },
    decoder: {
      kind: 'yolov2',
      classes: 0,
      stride: STRIDE,
      anchors: ANCHORS,
      scoreThreshold: 0.5,
      iouThreshold: 0.4,
      maxBoxes: 32,
    },
    labels: ['face'],
    outputs: [
      {
        name: 'output',
        shape: [ANCHORS.length * 5, height / STRIDE, width / STRIDE],
        type: 'float32',
        scale: 1,
        zeroPoint: 0,
      },
    ],
    source: {
      file: `${TINY_FACE_PACKAGE}/${TINY_FACE_FILES.weights.path}`,
      sha256: TINY_FACE_FILES.weights.sha256,
      licence: 'MIT',
    },
  }
}
