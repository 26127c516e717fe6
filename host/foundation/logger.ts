import { type Logger as PinoLogger, pino } from 'pino'

/** Structured logger; goes to stderr, so that `--json` keeps stdout for one document. */
export type Logger = PinoLogger

/**
 * Makes the process's logger.
 * @param level - pino level; default from `K210_BRIDGE_LOG`, else `info`
 */
export function createLogger(level = process.env.K210_BRIDGE_LOG ?? 'info'): Logger {
  return pino({ level, base: undefined }, pino.destination({ dest: 2, sync: true }))
}

/** A logger that drops everything, for tests and library defaults. */
export const silentLogger: Logger = pino({ level: 'silent' })
