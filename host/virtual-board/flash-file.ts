import { existsSync } from 'node:fs'
import { BridgeError } from '../foundation/errors.js'
import { readFileBytes, writeFileAtomic } from '../foundation/files.js'
import type { NorFlash } from './nor-flash.js'

/** Wall milliseconds after the first change until the file is written. */
const SAVE_DELAY_MS = 500

/** Keeps a flash chip's content in a file of the chip's size: loaded at start, saved after changes and at the end. */
export class FlashFile {
  private timer: NodeJS.Timeout | undefined
  private saving: Promise<void> = Promise.resolve()
  private failure: unknown

  private constructor(
    private readonly path: string,
    private readonly flash: NorFlash,
  ) {}

  /**
   * Loads the file into the chip, or leaves the chip blank when there is none.
   * @throws BridgeError `FILE_READ`, `FILE_FORMAT` when the file is longer than the chip
   */
  static async open(path: string, flash: NorFlash): Promise<FlashFile> {
    if (existsSync(path)) {
      const bytes = await readFileBytes(path)
      if (bytes.length > flash.bytes.length) {
        throw new BridgeError('FILE_FORMAT', {
          what: `the flash file has ${bytes.length} bytes, the chip ${flash.bytes.length}`,
          where: { file: path },
          fix: 'Name the file of a virtual board, or another path for a blank one.',
        })
      }
      flash.bytes.set(bytes)
    }
    const file = new FlashFile(path, flash)
    flash.onChange = () => file.changed()
    return file
  }

  /** Writes what is unsaved. @throws BridgeError `FILE_WRITE` of this or an earlier save */
  async close(): Promise<void> {
    this.flash.onChange = undefined
    if (this.timer) this.save()
    await this.saving
    if (this.failure) throw this.failure
  }

  private changed(): void {
    if (this.timer) return
    this.timer = setTimeout(() => this.save(), SAVE_DELAY_MS)
    this.timer.unref()
  }

  private save(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const copy = this.flash.bytes.slice()
    const write = async () => {
      try {
        await writeFileAtomic(this.path, copy)
        this.failure = undefined
      } catch (error) {
        this.failure = error
      }
    }
    this.saving = this.saving.then(write)
  }
}
