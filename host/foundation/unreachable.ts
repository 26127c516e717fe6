/** Ends an exhaustive switch: a case added to the union stops the build here. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
