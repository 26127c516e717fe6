import { CARD_SCHEMA, type CardOutput, type ModelCard, type SsdDecoder, type SsdHead } from '../card/card.js'
import { tinyFaceCard } from './tiny-face.js'

/** Input size that the ULFD networks were trained for. */
const ULFD = { width: 320, height: 240 }

/** Scales of the ULFD networks: stride and prior sizes in pixels. */
const ULFD_SCALES = [
  { stride: 8, minSizes: [10, 16, 24] },
  { stride: 16, minSizes: [32, 48] },
  { stride: 32, minSizes: [64, 96] },
  { stride: 64, minSizes: [128, 192, 256] },
]

const ULFD_HEADS: readonly SsdHead[] = ULFD_SCALES.map((scale, i) => ({ ...scale, scores: i, boxes: 4 + i }))

/** Outputs of a ULFD network cut at its heads: four maps of scores, then four of boxes, finest scale first. */
function ulfdOutputs(): CardOutput[] {
  const maps = (name: string, channels: number): CardOutput[] =>
    ULFD_SCALES.map(({ stride, minSizes }, i) => ({
      name: `${name}${i}`,
      shape: [minSizes.length * channels, Math.ceil(ULFD.height / stride), Math.ceil(ULFD.width / stride)],
      type: 'float32',
      scale: 1,
      zeroPoint: 0,
    }))
  return [...maps('scores', 2), ...maps('boxes', 4)]
}

const ULFD_DECODER: SsdDecoder = {
  kind: 'ssd',
  classes: 2,
  centreVariance: 0.1,
  sizeVariance: 0.2,
  heads: ULFD_HEADS,
  scoreThreshold: 0.7,
  iouThreshold: 0.3,
  maxBoxes: 200,
}

function ulfdCard(name: string, file: string, sha256: string): ModelCard {
  return {
    schema: CARD_SCHEMA,
    name,
    task: 'face-detect',
    input: {
      ...ULFD,
      colour: 'rgb',
      resize: 'stretch',
      fill: 0,
      mean: [127, 127, 127],
      std: [128, 128, 128],
      scale: 1,
      zeroPoint: 0,
    },
    decoder: ULFD_DECODER,
    labels: ['face'],
    outputs: ulfdOutputs(),
    source: { file, sha256, licence: 'MIT' },
  }
}

type CardMaker = (sha256: string) => ModelCard

/** Public networks whose files carry no card: SHA-256 of the model file to its card. */
const KNOWN: ReadonlyMap<string, CardMaker> = new Map<string, CardMaker>([
  // Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB, models/onnx (MIT)
  [
    '6e12bb34a36eb17b86d2b76b79c9cd20f342a59ee737d2123a814ce6f532932b',
    (sha256) => ulfdCard('ulfd-slim320', 'version-slim-320_without_postprocessing.onnx', sha256),
  ],
  [
    'd7c687949526065ab6a192fdf993360045ce27b0fabf7c9fca5c2437b786b495',
    (sha256) => ulfdCard('ulfd-rfb320', 'version-RFB-320_without_postprocessing.onnx', sha256),
  ],
  // The tiny face detector of justadudewhohacks/face-api.js (MIT) as ONNX with an unpadded first layer
  [
    'c6e129174e964550b1858f48bcf05bd4d5ea8840d5a87b6164bf614bca8e3251',
    (sha256) => convertedTinyFace('yolov2tiny-face-320', 320, sha256),
  ],
  [
    'a7ae66a96868ffc5e1154a14fea0beba46e7cf218c5c85f4f8374666b08dfa4b',
    (sha256) => convertedTinyFace('yolov2tiny-face-224', 224, sha256),
  ],
])

function convertedTinyFace(name: string, size: number, sha256: string): ModelCard {
  const card = tinyFaceCard(name, { width: size, height: size })
  return { ...card, source: { file: `${name}.onnx`, sha256, licence: 'MIT' } }
}

/**
 * Card of a public network by its file's hash: for model files that come without a card.
 * @param sha256 - lower-case hex of the whole model file
 */
export function zooCardFor(sha256: string): ModelCard | undefined {
  return KNOWN.get(sha256)?.(sha256)
}
