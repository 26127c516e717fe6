/** One step of long work, as commands print it and jobs publish it. */
export interface Progress {
  /** What is being done, for example `calibrate`. */
  readonly stage: string
  /** Done so far, in `unit`. */
  readonly done: number
  /** All of it, in `unit`; 0 when unknown. */
  readonly total: number
  readonly unit: 'bytes' | 'pictures' | 'layers' | 'steps'
}

/** Receives progress; never throws, never blocks. */
export type ProgressListener = (progress: Progress) => void
