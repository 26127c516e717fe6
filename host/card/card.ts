import type { DataType } from '../tensor/tensor.js'

/** Schema version of `model.card.json`. */
export const CARD_SCHEMA = 1

/** How a camera picture becomes the network's input. real = (pixel - mean) / std, pixels 0..255, per channel. */
export interface CardInput {
  readonly width: number
  readonly height: number
  readonly colour: 'rgb' | 'bgr' | 'grey'
  /**
   * `letterbox`: scaled with its aspect ratio kept, placed at the top left, the rest filled with `fill`;
   * `stretch`: width and height scaled apart; `crop`: centre crop of the input's aspect ratio, then scaled.
   */
  readonly resize: 'letterbox' | 'stretch' | 'crop'
  /** Pixel value (all channels) of the letterbox border. */
  readonly fill: number
  readonly mean: readonly number[]
  readonly std: readonly number[]
  /** Parameters of the kmodel's uint8 input: pixel = (code - zeroPoint) * scale; 1 and 0 when bytes go in as they are. */
  readonly scale: number
  readonly zeroPoint: number
}

/** Thresholds that all detectors share. */
export interface DetectorThresholds {
  /** Boxes below this score are dropped on the board. */
  readonly scoreThreshold: number
  readonly iouThreshold: number
  readonly maxBoxes: number
}

/** One scale of an SSD head: which outputs hold its scores and boxes, and its priors (pixels of the network input). */
export interface SsdHead {
  /** Index into `outputs`: [priors * classes, h, w], prior-major (channel = prior * classes + class). */
  readonly scores: number
  /** Index into `outputs`: [priors * 4, h, w], channel = prior * 4 + (cx, cy, w, h). */
  readonly boxes: number
  readonly stride: number
  readonly minSizes: readonly number[]
}

/**
 * SSD with softmax over classes (class 0 = background) and priors centred at ((x + 0.5) / mapWidth, (y + 0.5) /
 * mapHeight), of size minSize / input, clipped to 0..1. The map's own size counts, not the stride: 240 rows at stride 64
 * make 4 cells of 60. Source: the priors inside the ULFD networks that decode in the graph.
 */
export interface SsdDecoder extends DetectorThresholds {
  readonly kind: 'ssd'
  readonly classes: number
  readonly centreVariance: number
  readonly sizeVariance: number
  readonly heads: readonly SsdHead[]
}

/**
 * YOLOv2 region: channel = anchor * (5 + classes) + (tx, ty, tw, th, obj, class...); anchors in cells;
 * x = (cx + sigmoid(tx)) * stride, w = exp(tw) * anchorW * stride; score = sigmoid(obj) (* softmax(class) when classes > 1).
 */
export interface YoloV2Decoder extends DetectorThresholds {
  readonly kind: 'yolov2'
  /** 0: objectness only. */
  readonly classes: number
  readonly stride: number
  readonly anchors: readonly (readonly [number, number])[]
}

/** Nothing to decode: outputs are handed out as they are. */
export interface NoDecoder {
  readonly kind: 'none'
}

/** What turns output maps into results. More kinds follow with later networks. */
export type CardDecoder = SsdDecoder | YoloV2Decoder | NoDecoder

/** One output of the kmodel, in file order. real = (code - zeroPoint) * scale for uint8; 1 and 0 for float32. */
export interface CardOutput {
  readonly name: string
  /** [channels, height, width] (or the plain shape where there is no map). */
  readonly shape: readonly number[]
  readonly type: DataType
  readonly scale: number
  readonly zeroPoint: number
}

/** What the compiler says of memory; bytes and 64-byte KPU rows. */
export interface CardMemory {
  readonly modelBytes: number
  readonly mainBytes: number
  readonly kpuRows: number
  readonly peakBytes: number
  readonly limitBytes: number
  readonly fits: boolean
}

/** Contents of `model.card.json`: everything beside the weights that host and board must agree on. */
export interface ModelCard {
  readonly schema: typeof CARD_SCHEMA
  readonly name: string
  readonly task: 'face-detect' | 'face-landmarks' | 'face-embed' | 'classify' | 'other'
  readonly input: CardInput
  readonly decoder: CardDecoder
  readonly labels: readonly string[]
  readonly outputs: readonly CardOutput[]
  readonly source: { readonly file: string; readonly sha256: string; readonly licence: string }
  readonly compile?: { readonly version: string; readonly options: Readonly<Record<string, unknown>> }
  readonly accuracy?: Readonly<Record<string, unknown>>
  readonly forecast?: { readonly memory: CardMemory; readonly ms: number }
}
