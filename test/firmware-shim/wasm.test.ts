import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import t from 'tap'
import { MODEL_LIMIT_BYTES } from '../../host/compiler/report.js'
import { packageFile } from '../../host/foundation/paths.js'
import {
  decode,
  echo,
  encode,
  type Frame,
  hello,
  modelList,
  modelLoad,
  type Payload,
  ping,
  type RequestMessage,
  reboot,
  STATUS,
  setBaud,
  transferBlock,
  transferCommit,
  transferOpen,
  transferStatus,
} from '../../protocol/index.js'
import { FakeBoard } from '../support/firmware-imports.js'

const clang = spawnSync('clang', ['--version']).status === 0
const check = clang
  ? spawnSync('bash', [packageFile('firmware-shim', 'build.sh'), '--check'], { encoding: 'utf8' })
  : undefined
/** Another clang than the recorded one makes other bytes: then its fresh build is what is tested here. */
const isOtherClang = /not compared, this is/.test(check?.stdout ?? '')
const shim = packageFile('firmware-shim', isOtherClang ? 'build' : 'prebuilt', 'shim.wasm')
const skip = existsSync(shim) ? undefined : 'firmware-shim/prebuilt/shim.wasm is absent'
const HELLO = { major: 1, minor: 0, maxPayload: 1040, hostNonce: 1 }

class Host {
  #number = 0
  constructor(
    readonly board: FakeBoard,
    public epoch = 1,
  ) {}

  frame(row: { id: number; kind: Frame['kind'] }, payload: Uint8Array, number = ++this.#number): Frame {
    const { epoch } = this
    return { kind: row.kind, id: row.id, number, epoch, fragment: 0, last: true, budgetBytes: 0xffff0, payload }
  }

  /** Sends a request and returns the frame of its answer. */
  ask<R extends RequestMessage>(row: R, payload: Payload<R>, us = 20_000): Frame | undefined {
    const frame = this.frame(row, encode(row, payload))
    this.board.send(frame)
    this.board.run(us)
    return this.board.frames().find((answer) => answer.kind === 'response' && answer.number === frame.number)
  }
}

function booted(): Host {
  const host = new Host(new FakeBoard(shim))
  host.board.run(5000)
  return host
}

function greeted(): Host {
  const host = booted()
  host.ask(hello, HELLO)
  return host
}

t.test('committed modules are the bytes of a fresh build', { skip: clang ? false : 'clang is absent' }, async (t) => {
  t.equal(check?.status, 0, check?.stdout)
  t.comment(check?.stdout ?? '')
})

t.test('shim as WebAssembly: sends no frame before HELLO', { skip }, async (t) => {
  const { board } = booted()
  board.send(new Host(board).frame(ping, encode(ping, { hostTimeUs: 1 })))
  board.run(5000)
  t.same(board.segments, [])
})

t.test(
  'shim as WebAssembly: prints a banner as console text, answers HELLO with what it is and can do',
  { skip },
  async (t) => {
    const { board } = booted()
    const host = new Host(board, 9)
    host.board.send(host.frame(hello, encode(hello, HELLO), 1))
    board.run(5000)
    const banner = board.segments.flatMap((segment) => (segment.kind === 'text' ? [segment.text] : [])).join('')
    t.match(banner, /^\r\nk210-bridge shim \d+\.\d+\.\d+\+[0-9a-f]{12} boot 7\r\n$/)
    const [frame] = board.frames()
    t.match(frame, { kind: 'response', id: hello.id, number: 1, epoch: 9 })
    const answer = decode(hello.answer, frame!.payload)
    t.match(answer, { status: 0, major: 1, board: 'virtual', bootId: 7, maxPayload: 1040, slots: 4, flashId: 0xef4018 })
    t.equal(answer.kmodelVersions, (1 << 3) | (1 << 4))
    t.equal(answer.opcodes >>> 31, 1, 'KPU layers')
    t.equal(answer.kpuRamBytes, 2 * 1024 * 1024)
    t.equal(answer.limitBytes, MODEL_LIMIT_BYTES, 'the compiler counts on the memory that the shim has')
    t.ok(board.memoryPages <= 128, `${board.memoryPages} pages`)
    t.not(board.kpuRam, 0)
  },
)

t.test('shim as WebAssembly: a repeated request gets the same answer, another epoch none', { skip }, async (t) => {
  const host = greeted()
  const request = host.frame(ping, encode(ping, { hostTimeUs: 42 }))
  host.board.send(request)
  host.board.run(5000)
  const [first] = host.board.frames()
  host.board.send(request)
  host.board.run(5000)
  const [second] = host.board.frames()
  t.same(second!.payload, first!.payload, 'same device time: it was not asked again')
  host.board.send({ ...request, epoch: 2 })
  host.board.run(5000)
  t.same(host.board.frames(), [])
})

t.test('shim as WebAssembly: refuses another major and unknown or damaged requests by status', { skip }, async (t) => {
  const host = booted()
  t.equal(host.ask(hello, { ...HELLO, major: 2 })!.payload[0], STATUS.VERSION.code)
  host.ask(hello, HELLO)
  host.board.send(host.frame({ id: 0x7f, kind: 'request' }, new Uint8Array(0)))
  host.board.send(host.frame(ping, new Uint8Array(3)))
  host.board.run(5000)
  t.same(
    host.board.frames().map((frame) => frame.payload[0]),
    [STATUS.UNKNOWN_MESSAGE.code, STATUS.BAD_REQUEST.code],
  )
})

t.test('shim as WebAssembly: echo, change of rate with its way back, reboot', { skip }, async (t) => {
  const host = greeted()
  const data = Uint8Array.from({ length: 1000 }, (_, i) => i)
  t.same(decode(echo.answer, host.ask(echo, { data })!.payload).data, data)
  t.equal(decode(setBaud.answer, host.ask(setBaud, { baud: 1_500_000 })!.payload).baud, 1_500_000)
  t.equal(host.board.baud, 1_500_000)
  host.board.run(600_000)
  t.equal(host.board.baud, 115_200, 'no frame came at the new rate')
  host.ask(setBaud, { baud: 921_600 })
  host.ask(ping, { hostTimeUs: 1 })
  host.board.run(600_000)
  t.equal(host.board.baud, 921_600)
  t.equal(host.ask(reboot, { target: 1, token: 5 })!.payload[0], 0)
  t.equal(host.board.rebooted, 1)
})

/** Sends all pieces that the board misses until nothing is missing. */
function sendPieces(host: Host, transferId: number, pieceBytes: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    const data = bytes.subarray(offset, offset + pieceBytes)
    host.board.send(host.frame(transferBlock, encode(transferBlock, { transferId, offset, data })))
    host.board.run(2000)
  }
}

t.test('shim as WebAssembly: stores a model, survives one that is no kmodel', { skip }, async (t) => {
  const host = greeted()
  const bytes = Uint8Array.from({ length: 70_001 }, (_, i) => (i * 7) ^ (i >> 8))
  const sha256 = Uint8Array.from(createHash('sha256').update(bytes).digest())
  const request = { target: 0, slot: 2, address: 0, size: bytes.length, blockBytes: 4096, sha256 }
  const open = host.ask(transferOpen, { ...request, name: 'no kmodel', card: new Uint8Array(0) })
  const opened = decode(transferOpen.answer, open!.payload)
  t.match(opened, { status: 0, address: 0x210000, blocks: 18, pieceBytes: 1024 })
  sendPieces(host, opened.transferId, opened.pieceBytes, bytes)
  const statuses = host.board.frames().filter((frame) => frame.kind === 'transferStatus')
  const last = decode(transferStatus, statuses.at(-1)!.payload)
  t.match(last, { status: 0, firstMissing: bytes.length, receivedBytes: bytes.length })
  const commit = decode(transferCommit.answer, host.ask(transferCommit, { transferId: opened.transferId })!.payload)
  t.same(commit.sha256, sha256)
  const { entries } = decode(modelList.answer, host.ask(modelList, {})!.payload)
  t.match(entries[2], { slot: 2, state: 1, size: bytes.length, name: 'no kmodel' })
  t.equal(host.ask(modelLoad, { slot: 2 })!.payload[0], STATUS.MODEL_FORMAT.code)
  t.match(decode(modelList.answer, host.ask(modelList, {})!.payload).entries[2], { state: 3, status: 10 })
})
