import { BridgeError } from '../foundation/errors.js'

/** A cursor over a kmodel's bytes. Every read is checked against `end`; offsets are absolute in the file. */
export class ByteReader {
  private readonly view: DataView

  /**
   * @param file - the whole kmodel
   * @param offset - where to begin
   * @param end - first byte that may not be read
   */
  constructor(
    readonly file: Uint8Array,
    public offset: number,
    readonly end: number,
  ) {
    this.view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  }

  /** Bytes up to the end. */
  get left(): number {
    return this.end - this.offset
  }

  /** Moves past `size` bytes and returns where they began. @throws BridgeError `KMODEL_TRUNCATED` */
  take(size: number): number {
    if (size < 0 || !Number.isSafeInteger(size) || this.offset + size > this.end) {
      throw new BridgeError('KMODEL_TRUNCATED', {
        what: `${size} bytes wanted, ${Math.max(0, this.left)} left`,
        where: { offset: this.offset, end: this.end, fileBytes: this.file.length },
        fix: 'The file is cut or damaged: copy it again, or compile it again.',
      })
    }
    const at = this.offset
    this.offset += size
    return at
  }

  u8(): number {
    return this.file[this.take(1)]!
  }
  u32(): number {
    return this.view.getUint32(this.take(4), true)
  }
  i32(): number {
    return this.view.getInt32(this.take(4), true)
  }
  f32(): number {
    return this.view.getFloat32(this.take(4), true)
  }
  /** A view, not a copy. */
  bytes(size: number): Uint8Array {
    const at = this.take(size)
    return this.file.subarray(at, at + size)
  }
}

/** Grows as it is written; offsets are absolute in the file. */
export class ByteWriter {
  private data = new Uint8Array(4096)
  private view = new DataView(this.data.buffer)
  offset = 0

  /** May replace `data` and `view`: call it before touching them. */
  private room(size: number): number {
    const at = this.offset
    this.offset += size
    if (this.offset > this.data.length) {
      const grown = new Uint8Array(Math.max(this.data.length * 2, this.offset))
      grown.set(this.data)
      this.data = grown
      this.view = new DataView(grown.buffer)
    }
    return at
  }

  u8(value: number): void {
    const at = this.room(1)
    this.view.setUint8(at, value)
  }
  u32(value: number): void {
    const at = this.room(4)
    this.view.setUint32(at, value, true)
  }
  i32(value: number): void {
    const at = this.room(4)
    this.view.setInt32(at, value, true)
  }
  f32(value: number): void {
    const at = this.room(4)
    this.view.setFloat32(at, value, true)
  }
  bytes(value: Uint8Array): void {
    const at = this.room(value.length)
    this.data.set(value, at)
  }
  /** Zeros up to a multiple of `unit`; returns how many. */
  align(unit: number): number {
    const gap = (unit - (this.offset % unit)) % unit
    this.room(gap)
    return gap
  }
  /** Overwrites a word that was written before. */
  patchU32(at: number, value: number): void {
    this.view.setUint32(at, value, true)
  }
  /** What has been written. */
  finish(): Uint8Array {
    return this.data.slice(0, this.offset)
  }
}
