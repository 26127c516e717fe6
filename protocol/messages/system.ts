import { bytes, list, oneWay, request, text, u8, u16, u32, u64 } from '../schema.js'

/** Opens a session. The frame's epoch becomes the session's epoch; sent again it opens a new one. */
export const hello = request({
  name: 'hello',
  id: 0x01,
  doc: 'Opens a session with the epoch of this frame; the answer says what the board is and can do.',
  fields: {
    major: u8('Major version of the host.'),
    minor: u8('Minor version of the host.'),
    maxPayload: u16('Largest payload that the host takes and would like to send, 256..4096 bytes.'),
    hostNonce: u32('Random; tells two hosts apart in logs.'),
  },
  answer: {
    major: u8('Major version of the firmware.'),
    minor: u8('Minor version of the firmware.'),
    buildId: text('Build of the firmware.', { maxLength: 64 }),
    board: text('Board name.', { maxLength: 32 }),
    bootId: u32('Differs from boot to boot.'),
    deviceTimeUs: u64('Microseconds since boot.'),
    cpuHz: u32('CPU clock.'),
    kpuHz: u32('KPU clock.'),
    freeBytes: u32('Memory free for models, working memory and inputs right now.'),
    limitBytes: u32('The same with nothing loaded.'),
    kpuRamBytes: u32('KPU RAM.'),
    rxRingBytes: u32('Receive ring: never have more unanswered bytes than this on the way.'),
    maxPayload: u16('Payload limit of this session: the smaller of both wishes.'),
    kmodelVersions: u8('Bit n = kmodel version n.'),
    opcodes: u32('Bit n = kmodel v4 layer opcode n (below 31); bit 31 = KPU layers.'),
    decoders: u32('Bit n = decoder kind n of the binary card.'),
    pipelineLength: u8('Pictures under way at once in the capture pipeline.'),
    slots: u8('Model slots.'),
    flashId: u32('JEDEC id: maker << 16 | type << 8 | log2 of the size.'),
    bauds: list('Line rates worth trying, rising.', 'u32', { maxLength: 16 }),
  },
})

/** Round trip and clock offset. */
export const ping = request({
  name: 'ping',
  id: 0x02,
  doc: 'Measures the round trip and the offset of the clocks; also proof of life.',
  fields: { hostTimeUs: u64('Comes back untouched.') },
  answer: { hostTimeUs: u64('As sent.'), deviceTimeUs: u64('Microseconds since boot when the answer was made.') },
})

/** Sends bytes back, for the test of a line rate. */
export const echo = request({
  name: 'echo',
  id: 0x03,
  doc: 'Sends the bytes back.',
  fields: { data: bytes('Any bytes.', { maxLength: 4080 }) },
  answer: { data: bytes('The same bytes.', { maxLength: 4080 }) },
})

/** Changes the line rate. */
export const setBaud = request({
  name: 'setBaud',
  id: 0x04,
  doc: 'Answered at the old rate; the board switches when that answer has left, and goes back to the old rate when no valid frame arrives within 500 ms.',
  fields: { baud: u32('Wanted rate.') },
  answer: { baud: u32('Rate that will be set: the nearest one possible.') },
})

/** Restarts the board. */
export const reboot = request({
  name: 'reboot',
  id: 0x05,
  doc: 'Restarts once the answer has left the wire.',
  fields: {
    target: u8('0 = firmware, 1 = boot ROM (ISP).'),
    token: u32('The same token does not restart twice.'),
  },
  answer: {},
})

/** Counters of the board's side of the link. */
export const stats = request({
  name: 'stats',
  id: 0x06,
  doc: 'Counters since boot.',
  fields: {},
  answer: {
    framesGood: u32('Valid frames received.'),
    framesBad: u32('Segments that looked like frames but were damaged.'),
    noiseBytes: u32('Bytes outside valid frames.'),
    consoleBytes: u32('Bytes of console text sent.'),
    rxOverruns: u32('Bytes lost because the receive ring was full.'),
    framesSent: u32('Frames sent.'),
    datagramsDropped: u32('Datagrams that a newer one replaced before they left.'),
    resultsSent: u32('Results sent.'),
    picturesSent: u32('Pictures sent.'),
  },
})

/** A line of the firmware's log. */
export const log = oneWay('datagram', {
  name: 'log',
  id: 0x07,
  doc: 'A line of the log.',
  fields: {
    level: u8('0 debug, 1 information, 2 warning, 3 error.'),
    deviceTimeUs: u64('Microseconds since boot.'),
    text: text('The line, without end of line.', { maxLength: 200 }),
  },
})
