/** Element types that occur in networks, kmodels and test data. */
export type DataType = 'uint8' | 'int8' | 'uint16' | 'int32' | 'int64' | 'float32' | 'float16' | 'bool'

/** Dimensions, outermost first; activations are NCHW, weights OIHW. */
export type Shape = readonly number[]

/** real = (code - zeroPoint) * scale, as in ONNX. */
export interface QuantParams {
  readonly scale: number
  readonly zeroPoint: number
}

/** A feature map without its batch axis. */
export interface MapShape {
  readonly channels: number
  readonly height: number
  readonly width: number
}

/** Number of elements of a shape; 1 for a scalar. */
export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1)

/** Planar 8-bit picture: channels x height x width, row by row, no padding. RGB order unless a card says otherwise. */
export interface PlanarPicture {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3
  readonly data: Uint8Array
}
