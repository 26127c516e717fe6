// Fails on any import between host folders, or of a third-party package, that the tables below do not allow.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Direct edges that are allowed. Every host folder may import foundation and tensor. */
const EDGES = {
  protocol: ['foundation'], // for the one error class
  foundation: [],
  tensor: [],
  kpu: [],
  kmodel: ['kpu'],
  card: ['protocol'],
  ir: [],
  onnx: ['ir'],
  tflite: ['ir'],
  darknet: ['ir'],
  reference: ['onnx'],
  compiler: ['ir', 'onnx', 'tflite', 'darknet', 'reference', 'kmodel', 'kpu', 'card'],
  simulator: ['kmodel', 'kpu'], // never the compiler: each one checks the other
  vision: ['card'],
  port: ['protocol'],
  link: ['port', 'protocol'],
  flasher: ['port', 'protocol'],
  device: ['link', 'flasher', 'kmodel', 'card', 'port', 'protocol'],
  'virtual-board': ['port', 'protocol', 'simulator', 'kpu'],
  recognition: ['vision', 'store'],
  store: [],
  events: ['store'],
  evaluate: ['compiler', 'simulator', 'reference', 'vision', 'device', 'card'],
  zoo: ['ir', 'onnx', 'card'],
  jobs: [
    'compiler',
    'simulator',
    'evaluate',
    'device',
    'flasher',
    'recognition',
    'store',
    'zoo',
    'kmodel',
    'card',
    'port',
    'vision',
  ],
  http: ['jobs', 'device', 'recognition', 'events', 'store', 'card', 'port'],
  web: [],
  commands: ['jobs', 'device', 'http', 'virtual-board', 'port', 'card'],
  cli: ['commands'],
}

/** Third-party packages and the only folders that may import them. Anything unlisted is free in its first folder only. */
const HOMES = {
  serialport: ['port'],
  '@serialport/parser-delimiter': ['port'],
  fastify: ['http'],
  'onnxruntime-node': ['reference'],
  libsql: ['store'],
  sharp: ['vision'],
  pino: ['foundation'],
  'pino-pretty': ['foundation'],
  protobufjs: ['onnx'],
  fflate: ['flasher'],
  commander: ['commands', 'cli'],
  'cli-progress': ['commands'],
  typebox: ['http'],
  '@fastify/type-provider-typebox': ['http'],
  '@vladmandic/face-api': ['zoo'],
}

const IMPORT =
  /^\s*(?:import|export)\b[^'"]*?\bfrom\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm

function* sources(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) yield* sources(path)
    else if (name.endsWith('.ts')) yield path
  }
}

/** `host/kpu/x.ts` is of `kpu`, `protocol/x.ts` of `protocol`, `host/cli.ts` of `cli`. */
function folderOf(path) {
  const parts = relative(root, path).split(sep)
  if (parts[0] === 'protocol') return 'protocol'
  return parts.length === 2 ? parts[1].replace(/\.[jt]s$/, '') : parts[1]
}

function packageOf(specifier) {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? `${parts[0]}/${parts[1]}` : parts[0]
}

function complaint(file, specifier) {
  const from = folderOf(file)
  if (specifier.startsWith('node:')) return undefined
  if (!specifier.startsWith('.')) {
    const homes = HOMES[packageOf(specifier)]
    return homes && !homes.includes(from)
      ? `${packageOf(specifier)} may only be imported in host/${homes.join(', host/')}`
      : undefined
  }
  const to = folderOf(resolve(dirname(file), specifier))
  if (to === from) return undefined
  if (from !== 'protocol' && (to === 'foundation' || to === 'tensor') && from !== 'foundation') return undefined
  return EDGES[from]?.includes(to) ? undefined : `${from} may not import ${to}`
}

const problems = []
for (const file of [...sources(join(root, 'host')), ...sources(join(root, 'protocol'))]) {
  if (file.includes(join('host', 'web', 'client'))) continue
  for (const match of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    const text = complaint(file, match[1] ?? match[2] ?? match[3])
    if (text) problems.push(`${relative(root, file)}: ${text}`)
  }
}
for (const line of problems) console.error(line)
if (problems.length > 0) process.exit(1)
console.log('imports: every edge is in the table')
