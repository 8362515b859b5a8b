// Rounds of load and of faults, with the books compared after each. Run by main.mjs.
import { sleep, until } from '../harness.mjs'
import { Books } from './books.mjs'
import { Random, faultsOf, strike } from './faults.mjs'
import { Load } from './load.mjs'
import { startStore } from './stores.mjs'

const REST_MS = 15000
const ORPHAN_MS = 2000
const SERVICE_MS = 3000
const SPEND_MS = 8000
const TURN_AT_MOST_NUSD = 20000000n

export const INVARIANTS = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6']

export class Campaign {
  // program, env: of the gateways; faults: names, or undefined for all of the store's; restMs: how
  // long everything has to come to rest
  constructor({ store, seed, gateways, faults, program, env, log, restMs = REST_MS }) {
    this.kind = store
    this.seed = seed
    this.random = new Random(seed)
    this.gatewayCount = store === 'sqlite' ? 1 : gateways
    this.drawn = faults ?? faultsOf(store, this.gatewayCount)
    this.options = { program, env }
    this.log = log
    this.restMs = restMs
    this.rounds = 0
    this.faults = {}
    this.violations = []
    this.bill = {}
    this.turns = []
    this.sessions = []
    this.forgotten = new Set()
    this.overdue = new Set()
  }

  get world() {
    return this.store.world
  }

  async start() {
    this.store = await startStore(this.kind, this.options, this.gatewayCount)
    await this.setPrices()
  }

  setPrices() {
    return this.world.vendor('/_prices', { 'openai.token_1k': '0.01' })
  }

  // What the vendors charge until now: they may forget it.
  async keepBill() {
    const { legs } = await this.world.vendor('/_bill')
    Object.assign(this.bill, legs)
  }

  vendorForgets() {
    this.forgotten.add(this.rounds)
  }

  // What a book says wrongly it says again in every round: it is counted once.
  violate(found) {
    for (const [invariant, text] of found) {
      if (this.violations.some(known => known.text === text)) continue
      this.violations.push({ round: this.rounds, invariant, text })
      this.log([`  ${invariant}: ${text}`, ...this.loggedOf(text)].join('\n    '))
    }
  }

  // What the gateways' last lives have logged of the first leg in a text.
  loggedOf(text) {
    const leg = /leg_[0-9A-Z]+/.exec(text)?.[0]
    if (leg === undefined) return []
    return this.store.gateways.flatMap((gateway, i) =>
      gateway.gateway.stderr
        .split('\n')
        .filter(line => line.includes(leg))
        .map(line => `gateway ${i + 1}: ${line}`),
    )
  }

  async revive() {
    const { gateways } = this.store
    await Promise.all(
      gateways.map(async gateway => {
        const { exitCode, signalCode } = gateway.gateway.process
        if (exitCode !== null || signalCode !== null) {
          gateway.proxy?.rest() // a start without its database ends, and says so
          await gateway.startGateway()
        }
        await until(() => isReady(gateway), 'a gateway to be ready')
      }),
    )
  }

  async roomsOpen() {
    const url = `${this.world.simulator.url}/tavus/v2/conversations?status=active&limit=100`
    const answer = await fetch(url, { headers: { 'x-api-key': 'sim-key' } })
    return (await answer.json()).data
  }

  // I5: looked at when every client is gone and every gateway has recovered.
  async checkOrphans() {
    let rooms
    for (const end = Date.now() + ORPHAN_MS; Date.now() < end; await sleep(50)) {
      rooms = await this.roomsOpen()
      if (rooms.length === 0) return
    }
    const names = rooms.map(room => room.conversation_name).join(' ')
    this.violate([['I5', `rooms still open: ${names}`]])
  }

  // Everything comes to rest, then the books are compared.
  async checkBooks() {
    for (const end = Date.now() + this.restMs; ; await sleep(100)) {
      this.books = await Books.read(this.store, this)
      if ([...this.books.nothingOpen()].length === 0 || Date.now() > end) break
    }
    await this.keepBill()
    this.violate(this.books.check())
    this.violate(this.books.nothingOpen())
  }

  // I6: what has money left is served again, by every gateway.
  async checkService(load) {
    for (const gateway of this.store.gateways) {
      await this.checkTwin(gateway, load, load.twins.rich)
    }
    const { tight } = load.twins
    if (this.books.left(tight.id) >= TURN_AT_MOST_NUSD) {
      await this.checkTwin(this.random.pick(this.store.gateways), load, tight)
    }
  }

  async checkTwin(gateway, load, twin) {
    let answer
    for (const end = Date.now() + SERVICE_MS; Date.now() < end; await sleep(100)) {
      answer = await gateway.turn(twin)
      if (answer.status !== 200) continue
      load.note(twin, answer.body)
      return
    }
    const left = this.books.left(twin.id)
    this.violate([['I6', `${twin.id} has ${left} left and hears ${JSON.stringify(answer.body)}`]])
  }

  async strikeSometimes() {
    const strikes = 1 + this.random.below(2)
    for (let i = 0; i < strikes; i++) {
      await sleep(200 + this.random.below(800))
      const name = this.random.pick(this.drawn)
      this.faults[name] = (this.faults[name] ?? 0) + 1
      const began = Date.now()
      await strike(this, name, this.random)
      await this.revive()
      const lasted = Date.now() - began
      this.log(`  ${name}: ${lasted} ms`)
      if (lasted > this.store.coverMs) this.overdue.add(this.rounds)
    }
    for (const proxy of this.store.proxies) proxy.rest()
  }

  // On a slow machine the faults are over before anybody is near a limit: and that is what they are
  // for.
  async letSpend(load) {
    await sleep(200)
    const end = Date.now() + SPEND_MS
    while (!load.isSpent && Date.now() < end) await sleep(50)
  }

  async round() {
    this.rounds++
    const { gateways } = this.store
    this.loaded = this.random.some(gateways, 1 + this.random.below(gateways.length))
    const load = new Load(this.loaded, new Random(this.random.next()), this.store.airedUsd)
    await load.start(`r${this.rounds}`)
    await this.strikeSometimes()
    await this.letSpend(load)
    await load.stop()
    const stopped = Date.now()
    this.turns.push(...load.turns.splice(0))
    this.sessions.push(...load.sessions)
    await this.checkOrphans()
    await this.checkBooks()
    await this.checkService(load)
    this.turns.push(...load.turns)
    return `${load.refused} refused, ${load.failed} broken off, checked in ${Date.now() - stopped} ms`
  }

  // isEnough: called after each round, and stops the campaign.
  async run(rounds, isEnough = () => false) {
    while (this.rounds < rounds && !isEnough(this)) {
      const began = Date.now()
      const story = await this.round()
      this.log(
        `round ${this.rounds}: ${Date.now() - began} ms, ${story}; ` +
          `${this.violations.length} violations so far`,
      )
    }
  }

  outcome() {
    const violations = Object.fromEntries(INVARIANTS.map(name => [name, 0]))
    for (const { invariant } of this.violations) violations[invariant]++
    const cuts = { unheard: 0, unsent: 0 }
    for (const proxy of this.store.proxies) {
      for (const which of Object.keys(cuts)) cuts[which] += proxy.cuts[which]
    }
    return {
      store: this.kind,
      gateways: this.gatewayCount,
      seed: this.seed,
      rounds: this.rounds,
      kills: Object.values(this.faults).reduce((sum, count) => sum + count, 0),
      faults: this.faults,
      commits_cut: cuts,
      receipts: this.turns.length,
      bills: this.sessions.length,
      vendor_legs: Object.keys(this.bill).length,
      violations,
      first: this.violations.slice(0, 10),
    }
  }
}

async function isReady(gateway) {
  try {
    return (await gateway.request('GET', '/readyz')).status === 200
  } catch {
    return false
  }
}

// Runs one campaign to its end: its outcome.
export async function runCampaign(options, isEnough) {
  const campaign = new Campaign(options)
  await campaign.start()
  try {
    await campaign.run(options.rounds, isEnough)
  } finally {
    await campaign.store.stop()
  }
  return campaign.outcome()
}
