/**
 * Every error code of the project, one row each: HTTP status and exit code of the command line.
 * Exit codes (design): 1 the check or work failed, 2 wrong usage, 3 board or port trouble.
 */
export interface ErrorCodeRow {
  readonly status: number
  readonly exit: 1 | 2 | 3
  readonly doc: string
}

const row = (status: number, exit: 1 | 2 | 3, doc: string): ErrorCodeRow => ({ status, exit, doc })

/** Command line, files and general faults. */
const general = {
  USAGE: row(400, 2, 'A command, option or request field is missing or malformed.'),
  INTERNAL: row(500, 1, 'A defect of ours: please report it.'),
  CANCELLED: row(409, 1, 'The user cancelled the work.'),
  NOT_FOUND: row(404, 1, 'The named thing does not exist.'),
  CONFLICT: row(409, 1, 'The thing is in a state that forbids the request.'),
  FILE_READ: row(400, 1, 'A file cannot be read.'),
  FILE_WRITE: row(507, 1, 'A file cannot be written.'),
  FILE_FORMAT: row(422, 1, 'A file is not of the format it is used as.'),
  PICTURE_FORMAT: row(422, 1, 'A picture cannot be decoded.'),
  CARD_INVALID: row(422, 1, 'A model card does not follow its schema.'),
} as const

/** Ports (host/port). */
const port = {
  PORT_URL: row(400, 2, 'A port URL is malformed or its scheme is unknown.'),
  PORT_OPEN: row(503, 3, 'The port cannot be opened.'),
  PORT_PERMISSION: row(503, 3, 'The user may not open the port.'),
  PORT_BUSY: row(409, 3, 'Another program owns the port.'),
  PORT_CLOSED: row(503, 3, 'The port closed or the board was unplugged.'),
  PORT_LINES: row(503, 3, 'The port has no modem lines.'),
} as const

/** Link with the running shim (host/link, protocol). */
const link = {
  LINK_TIMEOUT: row(504, 3, 'The board did not answer in time.'),
  LINK_VERSION: row(502, 3, 'The shim speaks another major protocol version.'),
  LINK_REFUSED: row(422, 1, 'The board refused a request; the status code says why.'),
  LINK_MESSAGE: row(502, 3, 'A message does not fit its row in protocol/messages.'),
  LINK_TRANSFER: row(502, 1, 'A transfer ended with a wrong hash.'),
  LINK_LOST: row(503, 3, 'The session with the board was lost.'),
  LINK_BAUD: row(502, 3, 'No common baud rate works.'),
} as const

/** Flasher and boot ROM (host/flasher). */
const flash = {
  FLASH_NO_ROM: row(504, 3, 'The boot ROM did not answer the greeting.'),
  FLASH_NO_STUB: row(504, 3, 'The flash stub did not answer after it was started.'),
  FLASH_REPLY: row(502, 3, 'ROM or stub answered with an error or nothing.'),
  FLASH_PLAN: row(422, 2, 'The images do not fit the flash or overlap.'),
  FLASH_IMAGE: row(422, 1, 'A firmware image is damaged or of the wrong format.'),
  FLASH_PROTECTED: row(409, 3, 'The flash chip is write protected.'),
  FLASH_VERIFY: row(502, 1, 'The flash holds other bytes than were written.'),
  FLASH_BOOT: row(502, 1, 'The board does not boot after flashing; the ROM says why.'),
  KFPKG_FORMAT: row(422, 1, 'A kfpkg package is damaged or breaks a rule.'),
} as const

/** Model front ends and the compiler. */
const compile = {
  ONNX_FORMAT: row(422, 1, 'The file is no ONNX model or is damaged.'),
  ONNX_UNSUPPORTED: row(422, 1, 'The model has operators that cannot be imported; the report names all of them.'),
  MODEL_FORMAT: row(422, 1, 'The model file has no known format.'),
  IR_INVALID: row(500, 1, 'A pass left the graph in an invalid state.'),
  COMPILE_UNSUPPORTED: row(422, 1, 'Operators cannot be expressed as kmodel layers; the report names all of them.'),
  COMPILE_SHAPE: row(422, 1, 'Shapes do not fit each other or the chip.'),
  COMPILE_MEMORY: row(422, 1, 'The network does not fit the KPU RAM or the main memory.'),
  COMPILE_CALIBRATION: row(422, 1, 'Calibration pictures are missing or unusable.'),
  KPU_LIMIT: row(422, 1, 'A layer breaks a limit of the KPU.'),
  REFERENCE_RUN: row(422, 1, 'onnxruntime cannot run the network.'),
} as const

/** kmodel container. */
const kmodel = {
  KMODEL_FORMAT: row(422, 1, 'The file is no kmodel.'),
  KMODEL_VERSION: row(422, 1, 'The kmodel version is not supported (3 and 4 are).'),
  KMODEL_TRUNCATED: row(422, 1, 'The kmodel ends before its headers say.'),
  KMODEL_INVALID: row(422, 1, 'The kmodel breaks a rule of its format.'),
} as const

/** Simulator. */
const sim = {
  SIM_ACC_RANGE: row(422, 1, 'An accumulator leaves the 36 bits of the KPU.'),
  SIM_UNSUPPORTED: row(422, 1, 'The simulator has no code for a layer.'),
  SIM_INPUT: row(422, 1, 'The input does not fit the model.'),
} as const

/** HTTP API and daemon. */
const http = {
  HTTP_TOKEN: row(401, 2, 'A token is required beyond loopback.'),
  HTTP_HOST: row(421, 2, 'The Host header names another server.'),
  HTTP_TOO_LARGE: row(413, 2, 'The upload is larger than allowed.'),
  HTTP_INVALID: row(400, 2, 'The request does not follow the schema.'),
  DAEMON_UNREACHABLE: row(503, 3, 'The daemon does not answer.'),
} as const

/** All codes by name. */
export const ERROR_CODES = { ...general, ...port, ...link, ...flash, ...compile, ...kmodel, ...sim, ...http } as const

/** Name of one row of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES
