import { BridgeError } from '../foundation/errors.js'

/** Bounds of a number; `absent` stands in for a missing key. */
export interface NumberRule {
  readonly min?: number
  readonly max?: number
  /** The number must be larger than this. */
  readonly above?: number
  readonly absent?: number
}

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads one object of a card and knows its path, so that every refusal can name the key. */
export class CardReader {
  readonly #value: unknown
  readonly #path: string
  readonly #file: string

  constructor(value: unknown, path: string, file: string) {
    this.#value = value
    this.#path = path
    this.#file = file
  }

  /** JSON text to a value. @throws BridgeError `CARD_INVALID` */
  static parseJson(bytes: Uint8Array, file: string): unknown {
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch (error) {
      throw new BridgeError('CARD_INVALID', {
        what: 'the card is no JSON text',
        where: { file, path: '' },
        fix: 'Use the card that the compile command wrote.',
        cause: error,
      })
    }
  }

  /** @throws BridgeError `CARD_INVALID` always, with the key's path */
  refuse(key: string, problem: string): never {
    const dot = this.#path && key && !key.startsWith('[') ? '.' : ''
    const path = `${this.#path}${dot}${key}`
    throw new BridgeError('CARD_INVALID', {
      what: `${path || 'the card'} ${problem}`,
      where: { file: this.#file, path },
      fix: 'Correct the card, or compile the model again to have one written.',
    })
  }

  #get(key: string): unknown {
    if (!isObject(this.#value)) return this.refuse('', 'must be an object')
    return this.#value[key]
  }

  /** The object at `key`. */
  child(key: string): CardReader {
    const value = this.#get(key)
    if (!isObject(value)) return this.refuse(key, 'must be an object')
    return new CardReader(value, this.#path ? `${this.#path}.${key}` : key, this.#file)
  }

  /** The object at `key`, or undefined where there is none. */
  optional(key: string): CardReader | undefined {
    return this.#get(key) === undefined ? undefined : this.child(key)
  }

  /** This object as it is. */
  record(): Readonly<Record<string, unknown>> {
    return isObject(this.#value) ? this.#value : this.refuse('', 'must be an object')
  }

  text(key: string): string {
    const value = this.#get(key)
    return typeof value === 'string' ? value : this.refuse(key, 'must be a text')
  }

  texts(key: string): string[] {
    return this.#array(key).map((value, i) =>
      typeof value === 'string' ? value : this.refuse(`${key}[${i}]`, 'must be a text'),
    )
  }

  boolean(key: string): boolean {
    const value = this.#get(key)
    return typeof value === 'boolean' ? value : this.refuse(key, 'must be true or false')
  }

  number(key: string, rule: NumberRule): number {
    return this.#checkNumber(key, this.#get(key) ?? rule.absent, rule)
  }

  integer(key: string, min: number, max = Number.MAX_SAFE_INTEGER, absent?: number): number {
    const value = this.number(key, { min, max, absent })
    return Number.isInteger(value) ? value : this.refuse(key, 'must be an integer')
  }

  oneOf<const T extends string>(key: string, choices: readonly T[], absent?: T): T {
    const value = this.#get(key) ?? absent
    const found = choices.find((choice) => choice === value)
    return found ?? this.refuse(key, `must be one of ${choices.join(', ')}`)
  }

  /** Numbers, `count` of them (any number of at least one when undefined), each above `above`. */
  numbers(key: string, count?: number, above?: number): number[] {
    return this.#checkNumbers(key, this.#array(key), count, above)
  }

  /** This value itself as a list of `count` numbers. */
  numbersHere(count: number, above?: number): number[] {
    if (!Array.isArray(this.#value)) return this.refuse('', 'must be a list of numbers')
    return this.#checkNumbers('', this.#value, count, above)
  }

  integers(key: string, min: number): number[] {
    return this.#array(key).map((value, i) => {
      const number = this.#checkNumber(`${key}[${i}]`, value, { min })
      return Number.isInteger(number) ? number : this.refuse(`${key}[${i}]`, 'must be an integer')
    })
  }

  list<T>(key: string, parse: (item: CardReader) => T, minimum = 0): T[] {
    const items = this.#array(key)
    if (items.length < minimum) this.refuse(key, `must have at least ${minimum} entry`)
    const path = this.#path ? `${this.#path}.${key}` : key
    return items.map((item, i) => parse(new CardReader(item, `${path}[${i}]`, this.#file)))
  }

  #array(key: string): readonly unknown[] {
    const value = this.#get(key)
    return Array.isArray(value) ? value : this.refuse(key, 'must be a list')
  }

  #checkNumbers(key: string, values: readonly unknown[], count?: number, above?: number): number[] {
    if (count === undefined ? values.length === 0 : values.length !== count) {
      this.refuse(key, `must hold ${count ?? 'some'} numbers, not ${values.length}`)
    }
    return values.map((value, i) => this.#checkNumber(`${key}[${i}]`, value, { above }))
  }

  #checkNumber(key: string, value: unknown, rule: NumberRule): number {
    if (typeof value !== 'number' || !Number.isFinite(value)) return this.refuse(key, 'must be a number')
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, above = Number.NEGATIVE_INFINITY } = rule
    if (value < min || value > max) return this.refuse(key, `is ${value}, outside ${min}..${max}`)
    if (value <= above) return this.refuse(key, `is ${value}, must be larger than ${above}`)
    return value
  }
}
