import type { Shape } from '../tensor/tensor.js'

/** Height and width of a window or stride. */
export interface Pair {
  readonly h: number
  readonly w: number
}

/** Pixels added around a map; a negative count crops where an operator allows it. */
export interface Pads {
  readonly top: number
  readonly left: number
  readonly bottom: number
  readonly right: number
}

/** Elementwise function after a convolution. */
export type Activation =
  | { readonly fn: 'none' }
  | { readonly fn: 'relu' }
  | { readonly fn: 'clip'; readonly min: number; readonly max: number }
  | { readonly fn: 'leakyRelu'; readonly slope: number }
  | { readonly fn: 'sigmoid' }
  | { readonly fn: 'tanh' }
  | { readonly fn: 'hardSigmoid'; readonly alpha: number; readonly beta: number }
  | { readonly fn: 'hardSwish' }

/** Functions of {@link Op} `binary`, with ONNX (numpy) broadcasting. */
export type BinaryFn = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'pow'

/** Functions of {@link Op} `unary`. */
export type UnaryFn = 'exp' | 'log' | 'sqrt' | 'neg' | 'abs' | 'floor' | 'ceil' | 'reciprocal'

/**
 * Pooling that a convolution does on its way out; the names say window and stride.
 * `leftTop2s2` and `leftTop4s4` keep the first pixel of each window. Source: kpu.md section 7.
 */
export type FusedPool =
  | 'none'
  | 'max2s2'
  | 'mean2s2'
  | 'max4s4'
  | 'mean4s4'
  | 'leftTop2s2'
  | 'rightTop2s2'
  | 'leftTop4s4'
  | 'mean2s1'
  | 'max2s1'

/** Convolution; inputs x [N, C, H, W], weights OIHW, optional bias [O]. */
export interface Conv2dOp {
  readonly kind: 'conv2d'
  readonly kernel: Pair
  readonly stride: Pair
  readonly dilation: Pair
  readonly pads: Pads
  /** Real value of the pixels that `pads` adds; ONNX has 0 only, a folded input normalization has the mean. */
  readonly padValue: number
  readonly groups: number
  readonly activation: Activation
  /** Pool after the activation; sizes are rounded down, the `s1` kinds keep the size. */
  readonly pool: FusedPool
}

/** Window maximum or mean; input x [N, C, H, W]. */
export interface Pool2dOp {
  readonly kind: 'pool2d'
  readonly mode: 'max' | 'mean'
  readonly kernel: Pair
  readonly stride: Pair
  readonly pads: Pads
  /** Output size rounded up. */
  readonly ceil: boolean
  /** `mean` only: divide by the whole window, padding included. */
  readonly countPads: boolean
}

/** Bits that the KPU runs; filled in by quantization. Fields keep the names of kpu.md sections 3 and 5. */
export interface KpuCode {
  /** One byte a weight, order of the float weights. */
  readonly weights: Uint8Array
  readonly argX: number
  readonly shrX: number
  readonly argW: number
  readonly shrW: number
  readonly argAdd: number
  readonly padCode: number
  readonly norm: readonly { readonly mul: number; readonly shift: number; readonly add: number }[]
  /** Live segments of the activation table, ascending `start`; the first one starts at -2^35. */
  readonly table: readonly TableSegment[]
}

/** One segment: code = ((b - start) * mul >> shift) + bias for b > start. Source: kpu.md section 5. */
export interface TableSegment {
  readonly start: number
  readonly mul: number
  readonly shift: number
  readonly bias: number
}

/** One KPU layer: stride 1, same size; inputs as `conv2d`, weights [O, I, k, k] or depthwise [C, 1, k, k]. */
export interface KpuConv2dOp {
  readonly kind: 'kpuConv2d'
  readonly kernel: 1 | 3
  readonly depthwise: boolean
  readonly padValue: number
  readonly activation: Activation
  readonly pool: FusedPool
  readonly code?: KpuCode
}

/** Every operation of the IR. Data only; a kind is a noun of ONNX or of the KPU. Each node has one output. */
export type Op =
  | Conv2dOp
  | Pool2dOp
  | KpuConv2dOp
  /** Copies a uint8 map from main memory into KPU RAM. */
  | { readonly kind: 'kpuUpload' }
  /** Copies a KPU layer's result into main memory; becomes the layer's main-memory output. */
  | { readonly kind: 'kpuDownload' }
  /** Inputs x, scale, bias, mean, variance (each [C]). */
  | { readonly kind: 'batchNorm'; readonly epsilon: number }
  /** Every `stride`-th pixel from (0, 0); sizes rounded up. */
  | { readonly kind: 'pick'; readonly stride: number }
  | { readonly kind: 'globalPool'; readonly mode: 'max' | 'mean' }
  | { readonly kind: 'activation'; readonly activation: Activation }
  /** Inputs x and slopes, broadcast over x. */
  | { readonly kind: 'prelu' }
  | { readonly kind: 'binary'; readonly fn: BinaryFn }
  | { readonly kind: 'unary'; readonly fn: UnaryFn }
  | { readonly kind: 'concat'; readonly axis: number }
  | { readonly kind: 'transpose'; readonly perm: readonly number[] }
  | { readonly kind: 'reshape'; readonly shape: Shape }
  /** One entry an axis; steps are positive. */
  | {
      readonly kind: 'slice'
      readonly begin: readonly number[]
      readonly end: readonly number[]
      readonly step: readonly number[]
    }
  /** One entry an axis; negative counts crop. */
  | {
      readonly kind: 'pad'
      readonly before: readonly number[]
      readonly after: readonly number[]
      readonly value: number
    }
  | { readonly kind: 'softmax'; readonly axis: number }
  /** Inputs a [..., M, K] and b [K, N]. */
  | { readonly kind: 'matmul' }
  | {
      readonly kind: 'reduce'
      readonly fn: 'mean' | 'max' | 'min' | 'sum'
      readonly axes: readonly number[]
      readonly keepDims: boolean
    }
  /** Height and width times an integer or fraction; half-pixel centres for `bilinear`, floor for `nearest`. */
  | { readonly kind: 'resize'; readonly mode: 'nearest' | 'bilinear'; readonly height: number; readonly width: number }

/** Name of an operation. */
export type OpKind = Op['kind']

/** No padding. */
export const NO_PADS: Pads = { top: 0, left: 0, bottom: 0, right: 0 }

/** No activation. */
export const NO_ACTIVATION: Activation = { fn: 'none' }

/** Same number of pixels on all four sides. */
export const evenPads = (size: number): Pads => ({ top: size, left: size, bottom: size, right: size })

/** A square window or stride. */
export const square = (size: number): Pair => ({ h: size, w: size })

/** A convolution of stride 1 without padding, bias or activation; `fields` overrides. */
export function conv2dOp(fields: Partial<Omit<Conv2dOp, 'kind'>> & { readonly kernel: Pair }): Conv2dOp {
  return {
    kind: 'conv2d',
    stride: square(1),
    dilation: square(1),
    pads: NO_PADS,
    padValue: 0,
    groups: 1,
    activation: NO_ACTIVATION,
    pool: 'none',
    ...fields,
  }
}

/** A pool without padding, rounded down; `fields` overrides. */
export function pool2dOp(
  fields: Partial<Omit<Pool2dOp, 'kind'>> & { readonly kernel: Pair; readonly stride: Pair },
): Pool2dOp {
  return { kind: 'pool2d', mode: 'max', pads: NO_PADS, ceil: false, countPads: false, ...fields }
}
