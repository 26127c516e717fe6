#!/usr/bin/env node
import { createProgram } from './commands/program.js'

await createProgram().parseAsync()
