import type { PlanarPicture } from '../tensor/tensor.js'
import { CAMERA_FPS, type FrameSource } from './camera.js'
import type { QueuedEvent } from './event-queue.js'
import type { VirtualTime } from './virtual-time.js'

const FRAME_US = 1e6 / CAMERA_FPS
/** A capture that is asked for during vertical blanking still gets the frame that is about to begin. */
const BLANKING_US = 3000

/** A finished capture. */
export interface Capture {
  readonly frameId: number
  /** Virtual time at which the frame began. */
  readonly timeUs: number
  readonly picture: PlanarPicture
}

/**
 * The camera sensor: runs freely at 30 frames a second; a capture takes the next frame that begins, and is done when
 * that frame has been read out. A capture started within 3 ms of a frame's begin still gets that frame.
 */
export class CameraSensor {
  /** Captures finished so far. */
  captured = 0

  private done: Capture | undefined
  private event: QueuedEvent | undefined

  constructor(
    private readonly time: VirtualTime,
    private readonly source: FrameSource,
  ) {}

  /** True while a capture is under way. */
  get isBusy(): boolean {
    return this.event !== undefined
  }

  /** Starts a capture. @param onDone - called when it is there */
  start(onDone: () => void): void {
    this.stop()
    const { nowUs } = this.time
    const frameId = Math.ceil((nowUs - BLANKING_US) / FRAME_US)
    const timeUs = Math.max(frameId * FRAME_US, 0)
    this.event = this.time.schedule((frameId + 1) * FRAME_US, () => {
      this.event = undefined
      this.captured++
      this.done = { frameId, timeUs: Math.round(timeUs), picture: this.source.frame(frameId) }
      onDone()
    })
  }

  /** Takes the finished capture, once. */
  take(): Capture | undefined {
    const { done } = this
    this.done = undefined
    return done
  }

  /** Ends a running capture (reset). */
  stop(): void {
    this.time.cancel(this.event)
    this.event = undefined
    this.done = undefined
  }
}

/**
 * Copies a picture into planes of another size: the middle where the planes are smaller, black around it where they
 * are larger, as the sensor's window register does.
 */
export function copyWindow(picture: PlanarPicture, planes: Uint8Array, width: number, height: number): void {
  if (width === picture.width && height === picture.height) {
    planes.set(picture.data)
    return
  }
  const left = Math.floor((picture.width - width) / 2)
  const top = Math.floor((picture.height - height) / 2)
  const firstX = Math.max(0, -left)
  const lastX = Math.min(width, picture.width - left)
  planes.fill(0)
  for (let channel = 0; channel < 3; channel++) {
    for (let y = Math.max(0, -top); y < Math.min(height, picture.height - top); y++) {
      const from = (channel * picture.height + y + top) * picture.width + left
      planes.set(picture.data.subarray(from + firstX, from + lastX), (channel * height + y) * width + firstX)
    }
  }
}
