/** Nothing in these tests waits longer. */
export const LONGEST_WAIT_MS = 45_000

/** The promise, or an error that says what took too long. */
export async function within<T>(promise: Promise<T>, what: string, ms = LONGEST_WAIT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
