// Runs the integration tests in one folder, or one file of them: node run.mjs <folder> [<file>].
// Fails, and says how to mend it, when the packages they need are missing.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const folder = join(here, process.argv[2] ?? '')

if (!existsSync(join(here, 'node_modules'))) {
  console.error('tests/integration/node_modules is missing: run script/setup')
  process.exit(1)
}
const files = readdirSync(folder)
  .filter(name => name.endsWith('.test.mjs'))
  .filter(name => process.argv[3] === undefined || name === `${process.argv[3]}.test.mjs`)
  .map(name => join(folder, name))
if (files.length === 0) {
  console.error(`no tests in ${folder}`)
  process.exit(1)
}
const run = spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' })
process.exit(run.status ?? 1)
