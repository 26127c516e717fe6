import { createHash } from 'node:crypto'

/**
 * WebAssembly build of test/fixtures/echo-firmware.c (clang 14, command line in that file): echoes bytes, and does one
 * thing for each of R I T M X C B N F.
 */
const ECHO_BASE64 =
  'AGFzbQEAAAABHgZgAn9/AX9gAAF/YAN/f38Bf2ABfwF/YAAAYAF/AALhAQwFazIxMGIHdWFydF90eAAABWsyMTBiB3VhcnRfcngAAAVrMjEwYg' +
  'pmbGFzaF9idXN5AAEFazIxMGINZmxhc2hfcHJvZ3JhbQACBWsyMTBiDHVhcnRfdHhfaWRsZQABBWsyMTBiDXVhcnRfc2V0X2JhdWQAAwVrMjEw' +
  'YgtjYW1lcmFfZG9uZQAABWsyMTBiBnJlYm9vdAADBWsyMTBiB2V4ZWN1dGUAAwVrMjEwYgxjYW1lcmFfc3RhcnQAAgVrMjEwYgdib290X2lkAA' +
  'EFazIxMGILZmxhc2hfZXJhc2UAAAMDAgQFBQMBAAUGCAF/AUGgkhILBxgDBm1lbW9yeQIABGJvb3QADARwb2xsAA0KiQYCEQBBgIiAgABBBhCA' +
  'gICAABoL9AUBBX8jgICAgABBoAJrIgEkgICAgAAgAUGAAhCBgICAACECAkBBAC0AlJCOgABFDQAQgoCAgAANAEEAQQA6AJSQjoAAQQMhAwNAIA' +
  'NBpJCOgABqIANBBGoiBDoAACADQaOQjoAAaiADQQNqOgAAIANBopCOgABqIANBAmo6AAAgA0GhkI6AAGogA0EBajoAACADQaCQjoAAaiADOgAA' +
  'IANBn5COgABqIANBf2o6AAAgA0GekI6AAGogA0F+ajoAACADQZ2QjoAAaiADQX1qOgAAIANBCGohAyAEQf8BRw0AC0GAgMABQaCQjoAAQYACEI' +
  'OAgIAAGgsCQEEALQCQkI6AAEUNABCEgICAAEUNAEEAQQA6AJCQjoAAQeDG2wAQhYCAgAAaCwJAIAFBnAJqIAFBkAJqEIaAgIAARQ0AIAFB4wA6' +
  'AIwCIAEgASgCnAI6AI0CIAFBAC0AkIiAgAA6AI4CIAFBAC0AkOCEgAA6AI8CIAFBjAJqQQQQgICAgAAaCwJAIAJBAUgNACABIAIQgICAgAAaIA' +
  'EhBANAAkAgBC0AACIDQdIARw0AQQAQh4CAgAAaIAQtAAAhAwsCQCADQf8BcUHJAEcNAEEBEIeAgIAAGiAELQAAIQMLAkACQAJAIANB/wFxQbN/' +
  'ag4IAQICAgICAgACCwAAC0Hw////B0HAABCAgICAABogBC0AACEDCwJAIANB/wFxQdgARw0AQYCAwIB4EIiAgIAAGiAELQAAIQMLAkAgA0H/AX' +
  'FBwwBHDQBBkIiAgABBwAJB8AEQiYCAgAAaIAQtAAAhAwtBkJCOgAAhBQJAAkACQAJAIANB/wFxQb5/ag4NAgEBAQEBAQEBAQEBAAELIAEQioCA' +
  'gAA2ApACIAFBkAJqQQQQgICAgAAaIAQtAAAhAwsgA0H/AXFBxgBHDQFBgIDAAUGAIBCLgICAABpBlJCOgAAhBQsgBUEBOgAACyAEQQFqIQQgAk' +
  'F/aiICDQALCyABQaACaiSAgICAAAsLDgEAQYAICwdyZWFkeQoA'

/** The echo firmware's module bytes. */
export const echoFirmware = (): Uint8Array => new Uint8Array(Buffer.from(ECHO_BASE64, 'base64'))

/** A firmware image as it stands in the flash: flag, length, payload, SHA-256 (isp.md 3.1). */
export function firmwareImage(payload: Uint8Array): Uint8Array {
  const body = new Uint8Array(5 + payload.length)
  new DataView(body.buffer).setUint32(1, payload.length, true)
  body.set(payload, 5)
  return new Uint8Array(Buffer.concat([body, createHash('sha256').update(body).digest()]))
}
