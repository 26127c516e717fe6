import type { Field, Fields, RecordRow, Row, ScalarKind } from '../../protocol/index.js'

/** transferOpen becomes transfer_open. */
export const snake = (name: string): string => name.replace(/([A-Z]+)/g, '_$1').toLowerCase()

/** transferOpen becomes TRANSFER_OPEN. */
export const upper = (name: string): string => snake(name).toUpperCase()

/** C struct of a row or record. */
export const structName = (row: { readonly name: string }): string => `k210b_wire_${snake(row.name)}_t`

/** C descriptor of a row or record. */
export const rowName = (row: { readonly name: string }): string => `k210b_row_${snake(row.name)}`

/** C type of a scalar. */
export const C_TYPE: Readonly<Record<ScalarKind, string>> = {
  u8: 'uint8_t',
  u16: 'uint16_t',
  u32: 'uint32_t',
  u64: 'uint64_t',
  i8: 'int8_t',
  i16: 'int16_t',
  i32: 'int32_t',
  f32: 'float',
}

/** Name of the struct member that holds a length or count. */
export const countName = (name: string, field: Field): string =>
  `${snake(name)}_${field.kind === 'list' ? 'count' : 'length'}`

/** Records of all rows, each once, inner ones before those that hold them. */
export function recordsOf(rows: readonly Row[]): readonly RecordRow[] {
  const found = new Map<string, RecordRow>()
  const visit = (fields: Fields) => {
    for (const field of Object.values(fields)) {
      if (field.kind !== 'list' || typeof field.item === 'string') continue
      visit(field.item.fields)
      found.set(field.item.name, field.item)
    }
  }
  for (const row of rows) visit(row.fields)
  return [...found.values()]
}
