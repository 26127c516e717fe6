import type { PictureEvent } from './events.js'

/** The newest picture of a board, and those who wait for a newer one. */
export class NewestPicture {
  private latest: PictureEvent | undefined
  private readonly waiting = new Set<(picture: PictureEvent) => void>()

  put(picture: PictureEvent): void {
    this.latest = picture
    for (const take of [...this.waiting]) take(picture)
  }

  /** The board is gone: what it showed last is no picture of now. */
  clear(): void {
    this.latest = undefined
  }

  /**
   * The newest picture after a frame id; waits for one. Frame ids start again with each boot: a reader that is ahead
   * gets the first picture that comes.
   * @returns undefined after `waitMs` or when aborted
   */
  after(frameId: number, waitMs: number, signal: AbortSignal): Promise<PictureEvent | undefined> {
    if (this.latest && this.latest.frameId > frameId) return Promise.resolve(this.latest)
    if (signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const finish = (picture: PictureEvent | undefined) => {
        clearTimeout(timer)
        this.waiting.delete(finish)
        signal.removeEventListener('abort', onAbort)
        resolve(picture)
      }
      const onAbort = () => finish(undefined)
      const timer = setTimeout(onAbort, waitMs)
      this.waiting.add(finish)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
