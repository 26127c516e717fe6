import {
  EXTENSION_COMMANDS,
  FIRST_EXTENSION_OP,
  ISP_RESULTS,
  type IspCommand,
  OP_DEBUG_TEXT,
  SESSION_SECTORS,
  STUB_COMMANDS,
  STUB_VERSION,
  WINDOW_SECTORS,
} from './commands.js'
import { CAPABILITIES } from './payloads.js'

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
const hex = (value: number): string => `0x${value.toString(16).toUpperCase().padStart(2, '0')}u`

function rowArguments(name: string, row: IspCommand): string {
  const argument = row.lengthIsArgument === true ? '1' : '0'
  return [snake(name).toLowerCase(), hex(row.op), `${row.data[0]}u`, `${row.data[1]}u`, argument].join(', ')
}

/** Text of firmware-shim/generated/k210b_isp.h: the stub's ops, results and limits, written from the rows. */
export function ispHeader(): string {
  const ops = Object.entries({ ...STUB_COMMANDS, ...EXTENSION_COMMANDS })
  const lines = [
    '/** Ops, results and limits of the flash stub. Written by scripts/generate from protocol/isp; do not edit. */',
    '#ifndef K210B_ISP_H',
    '#define K210B_ISP_H',
    '',
    `#define K210B_ISP_DEBUG_TEXT ${hex(OP_DEBUG_TEXT)}`,
    ...ops.map(([name, row]) => `#define K210B_ISP_${snake(name)} ${hex(row.op)}`),
    '',
    '/** X(handler, op, fewest data bytes, most data bytes, length word is an argument) for the dispatch table. */',
    '#define K210B_ISP_COMMANDS(X) \\',
    ops.map(([name, row]) => `    X(${rowArguments(name, row)})`).join(' \\\n'),
    '',
    `#define K210B_ISP_FIRST_EXTENSION ${hex(FIRST_EXTENSION_OP)}`,
    '',
    ...Object.entries(ISP_RESULTS).map(([name, row]) => `#define K210B_ISP_RESULT_${snake(name)} ${hex(row.code)}`),
    '',
    ...Object.entries(CAPABILITIES).map(([name, bit]) => `#define K210B_ISP_CAN_${snake(name)} ${bit}u`),
    '',
    `#define K210B_ISP_VERSION ${STUB_VERSION}u`,
    `#define K210B_ISP_SESSION_SECTORS ${SESSION_SECTORS}u`,
    `#define K210B_ISP_WINDOW_SECTORS ${WINDOW_SECTORS}u`,
    '',
    '#endif',
    '',
  ]
  return lines.join('\n')
}
