import { createHash } from 'node:crypto'
import type { MemoryPort } from '../../host/port/memory.js'
import {
  crc32,
  decode,
  echo,
  encode,
  encodeFrame,
  type Fields,
  type Frame,
  FrameReader,
  type HelloAnswer,
  hello,
  MESSAGES,
  type Message,
  type Payload,
  ping,
  type RequestMessage,
  reboot,
  STATUS,
  setBaud,
  transferAbort,
  transferBlock,
  transferCommit,
  transferHashes,
  transferOpen,
  transferStatus,
  type Values,
} from '../../protocol/index.js'

const BAUD_REVERT_MS = 500
const BLOCK = 4096

/** Answers a decoded request with the answer's fields, or with a status alone. */
type Handler<F extends Fields, A extends Fields> = (request: Values<F>, frame: Frame) => Values<A> | number

interface Transfer {
  readonly id: number
  readonly request: Payload<typeof transferOpen>
  readonly received: boolean[]
}

/** What a test can set before the device starts. */
export interface DeviceOptions {
  readonly board?: Partial<HelloAnswer>
  readonly pieceBytes?: number
  readonly windowBytes?: number
  /** Time before a request is answered. */
  readonly answerMs?: number
}

/** A scripted shim: speaks the real protocol over a memory port, with counters and switches for tests. */
export class LinkDevice {
  readonly flash = new Uint8Array(1024 * 1024)
  /** Pieces received, in order, repetitions included. */
  readonly offsets: number[] = []
  /** Requests received by message name, repetitions included. */
  readonly requests: string[] = []
  /** False: the device hears nothing. */
  isOn = true
  /** Budget in its frames. */
  budgetBytes = 8192
  epoch = 0
  bootId = 7
  readonly #port: MemoryPort
  readonly #options: DeviceOptions
  #reader = new FrameReader()
  readonly #handlers = new Map<number, (payload: Uint8Array, frame: Frame) => Uint8Array>()
  readonly #numbers = new Map<number, number>()
  #transfer: Transfer | undefined
  #transferId = 100
  #rateCheck: { cancel(): void } | undefined

  constructor(port: MemoryPort, options: DeviceOptions = {}) {
    this.#port = port
    this.#options = options
    port.onData((bytes) => {
      if (!this.isOn) return
      for (const segment of this.#reader.push(bytes)) if (segment.kind === 'frame') this.#accept(segment.frame)
    })
    this.#installSystem()
    this.#installTransfer()
  }

  /** Replaces what a request does. */
  handle<F extends Fields, A extends Fields>(message: RequestMessage<F, A>, handler: Handler<F, A>): void {
    this.#handlers.set(message.id, (payload, frame) => {
      const answer = handler(decode(message, payload), frame)
      // The answer's row is the one that the handler's type names.
      return typeof answer === 'number'
        ? Uint8Array.of(answer)
        : encode(message.answer as { name: string; fields: A }, answer)
    })
  }

  /** Sends a one-way message, cut into fragments of at most `fragmentBytes`. */
  send<F extends Fields>(message: Message & { readonly fields: F }, fields: Values<F>, fragmentBytes = 1024): void {
    const number = ((this.#numbers.get(message.id) ?? 0) + 1) & 0xffff
    this.#numbers.set(message.id, number)
    const payload = encode(message, fields)
    const count = Math.max(1, Math.ceil(payload.length / fragmentBytes))
    for (let fragment = 0; fragment < count; fragment++) {
      const part = payload.slice(fragment * fragmentBytes, (fragment + 1) * fragmentBytes)
      this.#write({ kind: message.kind, id: message.id, number, fragment, last: fragment === count - 1, payload: part })
    }
  }

  /** Leaves a number out, as if the message had been lost. */
  skip(message: Message): void {
    this.#numbers.set(message.id, (this.#numbers.get(message.id) ?? 0) + 1)
  }

  print(text: string): void {
    void this.#port.write(new TextEncoder().encode(text))
  }

  /** Power cycle: new boot id, default rate, no session, no transfer; the flash stays. */
  restart(): void {
    this.bootId++
    this.epoch = 0
    this.#transfer = undefined
    this.#reader = new FrameReader()
    this.#port.baud = 115_200
    this.isOn = true
  }

  #accept(frame: Frame): void {
    this.#rateCheck?.cancel()
    const message = MESSAGES.find((row) => row.id === frame.id)
    if (frame.id === hello.id) this.epoch = frame.epoch
    if (frame.epoch !== this.epoch) return
    if (frame.id === transferBlock.id) this.#takeBlock(decode(transferBlock, frame.payload))
    else this.#answer(frame, message?.name ?? `0x${frame.id.toString(16)}`)
  }

  #answer(frame: Frame, name: string): void {
    this.requests.push(name)
    const handler = this.#handlers.get(frame.id)
    const payload = handler?.(frame.payload, frame) ?? Uint8Array.of(STATUS.UNKNOWN_MESSAGE.code)
    const reply = () =>
      this.#write({ kind: 'response', id: frame.id, number: frame.number, payload, fragment: 0, last: true })
    if (this.#options.answerMs) this.#port.clock.timer(this.#options.answerMs, reply)
    else reply()
  }

  #write(frame: Omit<Frame, 'epoch' | 'budgetBytes'>): void {
    void this.#port.write(encodeFrame({ ...frame, epoch: this.epoch, budgetBytes: this.budgetBytes }))
  }

  #installSystem(): void {
    this.handle(hello, ({ maxPayload }) => this.#helloAnswer(maxPayload))
    this.handle(ping, ({ hostTimeUs }) => ({ status: 0, hostTimeUs, deviceTimeUs: this.#nowUs() }))
    this.handle(echo, ({ data }) => ({ status: 0, data }))
    this.handle(reboot, () => ({ status: 0 }))
    this.handle(setBaud, ({ baud }) => {
      const before = this.#port.baud
      void Promise.resolve().then(async () => {
        await this.#port.setBaud(baud) // waits until the answer has left
        this.#rateCheck = this.#port.clock.timer(BAUD_REVERT_MS, () => {
          this.#port.baud = before
        })
      })
      return { status: 0, baud }
    })
  }

  #helloAnswer(maxPayload: number): HelloAnswer {
    return {
      ...{ status: 0, major: 1, minor: 0, buildId: 'double', board: 'double', bootId: this.bootId },
      ...{ deviceTimeUs: this.#nowUs(), cpuHz: 400e6, kpuHz: 400e6, freeBytes: 5e6, limitBytes: 5e6 },
      ...{ kpuRamBytes: 2 ** 21, rxRingBytes: 8192, maxPayload: Math.min(1040, maxPayload), kmodelVersions: 0x18 },
      ...{ opcodes: 0, decoders: 7, pipelineLength: 2, slots: 4, flashId: 0xef4018 },
      bauds: [115_200, 460_800, 921_600, 1_500_000],
      ...this.#options.board,
    }
  }

  #installTransfer(): void {
    this.handle(transferOpen, (request) => this.#open(request))
    this.handle(transferHashes, ({ transferId, first, crc32: hashes }) => {
      const transfer = this.#transfer
      if (transfer?.id !== transferId) return STATUS.NOT_FOUND.code
      const bitmap = new Uint8Array(Math.ceil(hashes.length / 8))
      hashes.forEach((hash, i) => {
        const from = (first + i) * BLOCK
        const to = Math.min(from + BLOCK, transfer.request.size)
        const base = transfer.request.address
        if (crc32(this.flash.subarray(base + from, base + to)) !== hash) return
        bitmap[i >> 3]! |= 1 << (i & 7)
        for (let at = from; at < to; at += this.#pieceBytes) transfer.received[at / this.#pieceBytes] = true
      })
      return { status: 0, bitmap }
    })
    this.handle(transferCommit, ({ transferId }) => {
      const transfer = this.#transfer
      if (transfer?.id !== transferId) return STATUS.NOT_FOUND.code
      if (transfer.received.includes(false)) return STATUS.STATE.code
      const { address, size, sha256 } = transfer.request
      const digest = createHash('sha256')
        .update(this.flash.subarray(address, address + size))
        .digest()
      return digest.equals(sha256) ? { status: 0, sha256: new Uint8Array(digest) } : STATUS.HASH.code
    })
    this.handle(transferAbort, () => {
      this.#transfer = undefined
      return { status: 0 }
    })
  }

  get #pieceBytes(): number {
    return this.#options.pieceBytes ?? 1024
  }

  #open(request: Payload<typeof transferOpen>): Payload<typeof transferOpen.answer> {
    const isSame = this.#transfer && Buffer.compare(this.#transfer.request.sha256, request.sha256) === 0
    if (!isSame) {
      const received = Array.from({ length: Math.ceil(request.size / this.#pieceBytes) }, () => false)
      this.#transfer = { id: ++this.#transferId, request, received }
    }
    const blocks = Math.ceil(request.size / BLOCK)
    const windowBytes = this.#options.windowBytes ?? 8192
    return {
      ...{ status: 0, transferId: this.#transfer!.id, address: request.address, blocks },
      ...{ pieceBytes: this.#pieceBytes, windowBytes },
    }
  }

  #takeBlock({ transferId, offset, data }: Payload<typeof transferBlock>): void {
    const transfer = this.#transfer
    if (transfer?.id !== transferId) return
    this.offsets.push(offset)
    if (data.length <= this.budgetBytes) {
      this.flash.set(data, transfer.request.address + offset)
      transfer.received[offset / this.#pieceBytes] = true
    }
    this.sendStatus()
  }

  /** Acknowledges what has arrived. */
  sendStatus(status = 0): void {
    const transfer = this.#transfer
    if (transfer === undefined) return
    const missing = transfer.received.indexOf(false)
    const first = missing < 0 ? transfer.received.length : missing
    const bitmap = new Uint8Array(16)
    for (let i = 0; i < 128; i++) if (transfer.received[first + i]) bitmap[i >> 3]! |= 1 << (i & 7)
    this.send(transferStatus, {
      ...{ transferId: transfer.id, status, bitmapFirst: first, bitmap },
      firstMissing: Math.min(transfer.request.size, first * this.#pieceBytes),
      receivedBytes: transfer.received.filter(Boolean).length * this.#pieceBytes,
    })
  }

  #nowUs(): number {
    return Math.round(this.#port.clock.now() * 1000) + 5_000_000
  }
}
