#!/usr/bin/env node
import { createProgram } from './commands/program.js'

await (await createProgram(process.argv[2])).parseAsync()
