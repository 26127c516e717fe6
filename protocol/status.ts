/**
 * Status codes of answers, known to both sides. The C core returns them negated (K210B_ERR_*).
 * `doc` is what the host shows; it says what to do where that is known.
 */
export const STATUS = {
  OK: { code: 0, doc: 'Done.' },
  BAD_REQUEST: { code: 1, doc: 'The request does not follow its row.' },
  UNKNOWN_MESSAGE: { code: 2, doc: 'This firmware does not know the message: update the firmware.' },
  VERSION: { code: 3, doc: 'The protocol versions do not fit: update the firmware.' },
  RANGE: { code: 4, doc: 'A value is outside its range.' },
  NO_MEMORY: { code: 5, doc: 'The board has not enough memory.' },
  BUSY: { code: 6, doc: 'The board is busy with other work: try again.' },
  NOT_FOUND: { code: 7, doc: 'The slot, transfer or output does not exist.' },
  HASH: { code: 8, doc: 'The SHA-256 on the board differs from the one announced.' },
  FLASH: { code: 9, doc: 'The flash chip failed to erase or program.' },
  MODEL_FORMAT: { code: 10, doc: 'The model is no valid kmodel.' },
  MODEL_VERSION: { code: 11, doc: 'The kmodel version is not supported by this firmware.' },
  MODEL_UNSUPPORTED: { code: 12, doc: 'The kmodel has a layer that this firmware cannot run.' },
  SPACE: { code: 13, doc: 'Not enough room: flash area, slot or buffer is full.' },
  STATE: { code: 14, doc: 'The request does not fit the present state, for example no model is loaded.' },
  KPU: { code: 15, doc: 'The KPU reported a fault.' },
  INTERNAL: { code: 16, doc: 'A defect of the firmware: please report it.' },
} as const

/** Name of a status code. */
export type StatusName = keyof typeof STATUS

const byCode = new Map<number, StatusName>(
  (Object.entries(STATUS) as [StatusName, { code: number }][]).map(([name, { code }]) => [code, name]),
)

/** Name of a code, `undefined` for one of a newer firmware. */
export const statusName = (code: number): StatusName | undefined => byCode.get(code)

/** `RANGE (4): A value is outside its range.` */
export function statusText(code: number): string {
  const name = statusName(code)
  return name ? `${name} (${code}): ${STATUS[name].doc}` : `unknown status ${code}`
}
