// The command behind script/crash. See --help.
import { parseArgs } from 'node:util'
import { runCampaign } from './campaign.mjs'
import { CONTROLS, runControls } from './controls.mjs'
import { FAULTS } from './faults.mjs'

const HELP = `usage: script/crash [options]

Puts gateways under load, kills or stops them, the vendors and the database at random times, and
compares the vendors' bill, the ledger and the clients' receipts after each round.

  --rounds N            how many (10)
  --store KIND          sqlite (one gateway) or postgres (sqlite)
  --gateways N          with postgres: 1 to 3 (3); each round's load is on some of them
  --seed S              a number; the same one draws the same faults (the clock's)
  --faults NAMES        only these, separated by commas
  --planted NAME        a gateway with that bug, or "all" of them one after the other: fails unless
                        the invariant that it breaks is seen to be broken
  --json                the outcome as one JSON object

I1 consumption within limits  I2 budgets balance  I3 each vendor second once  I4 receipts recorded
I5 no vendor session outlives its gateway by more than 2 s of recovery  I6 everything settles

faults: ${FAULTS.join(' ')}
bugs: ${CONTROLS.join(' ')}`

const OPTIONS = {
  rounds: { type: 'string', default: '10' },
  store: { type: 'string', default: 'sqlite' },
  gateways: { type: 'string', default: '3' },
  seed: { type: 'string', default: `${Date.now() % 1000000}` },
  faults: { type: 'string' },
  planted: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

function readOptions() {
  const { values } = parseArgs({ options: OPTIONS })
  for (const name of ['rounds', 'gateways', 'seed']) {
    values[name] = Number(values[name])
    if (!Number.isSafeInteger(values[name]) || values[name] < 1) {
      throw new Error(`--${name} must be a whole number above 0`)
    }
  }
  if (!['sqlite', 'postgres'].includes(values.store)) {
    throw new Error('--store must be sqlite or postgres')
  }
  if (values.gateways > 3) throw new Error('--gateways must be 1 to 3')
  values.faults = values.faults?.split(',')
  const unknown = values.faults?.find(name => !FAULTS.includes(name))
  if (unknown !== undefined) throw new Error(`--faults: there is no "${unknown}"`)
  const { planted } = values
  if (planted !== undefined && planted !== 'all' && !CONTROLS.includes(planted)) {
    throw new Error(`--planted: there is no "${planted}"`)
  }
  return values
}

// { outcome, isGood }
async function carryOut({ planted, ...options }, log) {
  if (planted !== undefined) {
    const names = planted === 'all' ? CONTROLS : [planted]
    const outcome = await runControls(names, options.seed, log)
    return { outcome, isGood: names.every(name => outcome[name].found !== undefined) }
  }
  const outcome = await runCampaign({ ...options, env: {}, log })
  return { outcome, isGood: Object.values(outcome.violations).every(count => count === 0) }
}

async function main() {
  let options
  try {
    options = readOptions()
  } catch (error) {
    console.error(`script/crash: ${error.message}; try script/crash --help`)
    return 2
  }
  if (options.help) {
    console.log(HELP)
    return 0
  }
  const log = text => console.error(text)
  const { outcome, isGood } = await carryOut(options, log)
  console.log(options.json ? JSON.stringify(outcome) : outcome)
  return isGood ? 0 : 1
}

process.exitCode = await main()
