// Rounds of load and of faults, with the books compared after each. See --help.
import { parseArgs } from 'node:util'
import { sleep, until } from '../harness.mjs'
import { Books } from './books.mjs'
import { Random, drawFault, strike } from './faults.mjs'
import { Load } from './load.mjs'
import { startStore } from './stores.mjs'

const HELP = `usage: script/crash [options]

Puts gateways under load, kills or stops them, the vendors and the database at random times, and
compares the vendors' bill, the ledger and the clients' receipts after each round.

  --rounds N            how many (10)
  --store KIND          sqlite (one gateway) or postgres (sqlite)
  --gateways N          with postgres: 1 to 3 (2)
  --seed S              a number; the same one draws the same faults (the clock's)
  --seconds N           begins no round after so long
  --json                the outcome as one JSON object

I1 consumption within limits  I2 budgets balance  I3 each vendor second once  I4 receipts recorded
I5 no vendor session outlives its gateway by more than 2 s of recovery  I6 everything settles`

const REST_MS = 15000
const ORPHAN_MS = 2000

export const INVARIANTS = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6']

export class Campaign {
  constructor({ store, seed, gateways, env, log }) {
    this.kind = store
    this.seed = seed
    this.random = new Random(seed)
    this.gatewayCount = gateways
    this.env = env
    this.log = log
    this.faults = {}
    this.violations = []
    this.acknowledged = []
    this.bills = {}
    this.vendorForgot = false
  }

  get world() {
    return this.store.world
  }

  async start() {
    this.store = await startStore(this.kind, this.env, this.gatewayCount)
    await this.setPrices()
  }

  setPrices() {
    return this.world.vendor('/_prices', { 'openai.token_1k': '0.01' })
  }

  // What a vendor has charged before it forgets.
  async keepBill() {
    const { legs } = await this.world.vendor('/_bill')
    this.bills = { ...this.bills, ...legs }
  }

  violate(round, found) {
    for (const [invariant, text] of found) this.violations.push({ round, invariant, text })
  }

  async revive() {
    for (const gateway of this.store.gateways) {
      const { exitCode, signalCode } = gateway.gateway.process
      if (exitCode !== null || signalCode !== null) await gateway.startGateway()
    }
    for (const gateway of this.store.gateways) {
      const ready = async () => {
        try {
          return (await gateway.request('GET', '/readyz')).status === 200
        } catch {
          return false
        }
      }
      await until(ready, 'a gateway to be ready')
    }
  }

  async roomsOpen() {
    const answer = await fetch(
      `${this.world.simulator.url}/tavus/v2/conversations?status=active&limit=100`,
      { headers: { 'x-api-key': 'sim-key' } },
    )
    return (await answer.json()).data
  }

  // I5: looked at when every client is gone and every gateway has recovered.
  async checkOrphans(round) {
    const end = Date.now() + ORPHAN_MS
    let rooms
    do {
      rooms = await this.roomsOpen()
      if (rooms.length === 0) return
      await sleep(50)
    } while (Date.now() < end)
    const names = rooms.map(room => room.conversation_name).join(' ')
    this.violate(round, [['I5', `rooms still open: ${names}`]])
  }

  readBooks() {
    const exact = !this.vendorForgot
    return Books.read(this.store, this.bills, this.acknowledged, exact)
  }

  // Everything comes to rest, then the books are compared.
  async checkBooks(round) {
    let books
    const end = Date.now() + REST_MS
    do {
      books = await this.readBooks()
      if ([...books.nothingOpen()].length === 0) break
      await sleep(100)
    } while (Date.now() < end)
    await this.keepBill()
    books.bill = this.bills
    this.violate(round, books.check())
    this.violate(round, books.nothingOpen())
  }

  // I6: what has money left is served again.
  async checkService(round, load) {
    const [rich] = load.twins
    for (const gateway of this.store.gateways) {
      const answer = await gateway.turn(rich)
      if (answer.status === 200) load.note(rich, answer.body)
      else this.violate(round, [['I6', `${JSON.stringify(answer.body)} instead of an answer`]])
    }
  }

  async strikeSometimes() {
    const strikes = 1 + this.random.below(2)
    for (let i = 0; i < strikes; i++) {
      await sleep(300 + this.random.below(1500))
      const name = drawFault(this.random, this.kind)
      this.log(`  ${name}`)
      this.faults[name] = (this.faults[name] ?? 0) + 1
      await strike(this, name, this.random)
      await this.revive()
    }
  }

  async round(round) {
    const load = new Load(this.store.gateways, this.random)
    await load.start(`r${round}`)
    await this.strikeSometimes()
    await sleep(200)
    await load.stop()
    await this.checkOrphans(round)
    await this.checkService(round, load)
    this.acknowledged.push(...load.acknowledged)
    await this.checkBooks(round)
    this.log(`round ${round}: ${load.acknowledged.length} receipts, ${load.failed} broken off`)
  }

  async run(rounds, seconds) {
    const end = Date.now() + seconds * 1000
    for (this.rounds = 0; this.rounds < rounds && Date.now() < end;) {
      await this.round(++this.rounds)
    }
  }

  outcome() {
    const violations = Object.fromEntries(INVARIANTS.map(name => [name, 0]))
    for (const { invariant } of this.violations) violations[invariant]++
    const kills = Object.values(this.faults).reduce((sum, count) => sum + count, 0)
    return {
      store: this.kind,
      seed: this.seed,
      rounds: this.rounds,
      kills,
      faults: this.faults,
      receipts: this.acknowledged.length,
      vendor_legs: Object.keys(this.bills).length,
      violations,
      first: this.violations.slice(0, 10),
    }
  }
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '10' },
      store: { type: 'string', default: 'sqlite' },
      gateways: { type: 'string', default: '2' },
      seed: { type: 'string', default: `${Date.now() % 1000000}` },
      seconds: { type: 'string', default: '86400' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  for (const name of ['rounds', 'gateways', 'seed', 'seconds']) {
    values[name] = Number(values[name])
    if (!Number.isSafeInteger(values[name]) || values[name] < 1) {
      throw new Error(`--${name} must be a whole number above 0`)
    }
  }
  if (!['sqlite', 'postgres'].includes(values.store)) {
    throw new Error('--store must be sqlite or postgres')
  }
  return values
}

export async function runCampaign(options) {
  const campaign = new Campaign(options)
  await campaign.start()
  try {
    await campaign.run(options.rounds, options.seconds)
  } finally {
    await campaign.store.stop()
  }
  return campaign.outcome()
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
  const log = options.json ? () => {} : text => console.error(text)
  const outcome = await runCampaign({ ...options, env: {}, log })
  console.log(options.json ? JSON.stringify(outcome) : outcome)
  return Object.values(outcome.violations).every(count => count === 0) ? 0 : 1
}

process.exitCode = await main()
