/** Rectangle as [x, y, width, height], pixels, x and y of the top left corner. */
export type Box = readonly [x: number, y: number, width: number, height: number]

/** One object that a detector found. */
export interface Detection {
  /** Pixels of whatever picture the context names: network input after decoding, picture after mapping back. */
  readonly box: Box
  /** 0..1. */
  readonly score: number
  /** Index into the card's labels. */
  readonly label: number
}
