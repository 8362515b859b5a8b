// Clients of one round: they talk to twins of that round until they are told to stop, bear
// whatever happens to the servers, and remember what they were told was done.
import { sleep } from '../harness.mjs'

const PRICES = { interaction_usd: '0.01', token_1k_usd: '0.01' }
const PATIENCE_MS = 1500

function twinDocument(limitUsd) {
  return {
    policy_config: {
      limits: { monthly_hard_limit_usd: limitUsd },
      rate: { per_second: 1000, burst: 1000 },
      prices: PRICES,
    },
  }
}

// What each twin may spend: plenty, or what lasts for a part of the round (40 turns; a room of two
// seconds, and what is held for its end).
const LIMITS_USD = { rich: '1000', tight: '0.40', filmed: '1000' }

export class Load {
  // `gateways`: any of them serves any client. `random`: of the load alone. `airedUsd`: for one
  // twin's rooms.
  constructor(gateways, random, airedUsd) {
    this.gateways = gateways
    this.random = random
    this.limits = { ...LIMITS_USD, aired: airedUsd }
    this.turns = [] // { tenant, decision, cost }: the client holds a receipt
    this.sessions = [] // { tenant, session, cost }: so it does of a session
    this.refused = 0
    this.failed = 0
    this.running = true
    this.isSpent = false // the tight twin has no money left
    this.tasks = []
    this.open = new Set()
  }

  async start(name) {
    const [world] = this.gateways
    const make = ([kind, limit]) => world.twin(`${name}-${kind}`, twinDocument(limit))
    const twins = await Promise.all(Object.entries(this.limits).map(make))
    const [rich, tight, filmed, aired] = twins
    this.twins = { rich, tight }
    for (let i = 0; i < 3; i++) this.tasks.push(this.loop(() => this.httpTurn(tight)))
    for (let i = 0; i < 2; i++) this.tasks.push(this.loop(() => this.httpTurn(rich)))
    this.tasks.push(this.loop(() => this.conversation(rich, 'text', 'json')))
    this.tasks.push(this.loop(() => this.conversation(rich, 'voice', 'msgpack')))
    for (const twin of [filmed, filmed, aired]) this.tasks.push(this.loop(() => this.film(twin)))
  }

  pick() {
    return this.random.pick(this.gateways)
  }

  // Again and again; what fails because a server is away is tried again a little later.
  async loop(act) {
    while (this.running) {
      try {
        await act()
        await sleep(5 + this.random.below(20))
      } catch {
        this.failed++
        await sleep(50)
      }
    }
  }

  note(twin, answer) {
    this.turns.push({ tenant: twin.id, decision: answer.decision.id, cost: answer.cost_usd })
  }

  async httpTurn(twin) {
    const tokens = 1 + this.random.below(30)
    const answer = await this.pick().turn(twin, { text: `[tokens:${tokens}] hello`, mode: 'text' })
    if (answer.status === 200) this.note(twin, answer.body)
    else this.refused++
    if (answer.status !== 402) return
    this.isSpent = this.isSpent || twin === this.twins.tight
    await sleep(100)
  }

  // Opens a session, does `act` with it, ends it, and keeps its bill.
  async visit(twin, options, act) {
    const session = this.pick().session(twin, options)
    this.open.add(session)
    try {
      const { session_id: id } = await session.started()
      await act(session)
      const { bill } = await session.end()
      this.sessions.push({ tenant: twin.id, session: id, cost: bill.cost_usd })
    } finally {
      session.socket.terminate()
      this.open.delete(session)
    }
  }

  conversation(twin, mode, format) {
    return this.visit(twin, { mode, format }, async session => {
      for (let id = 1; id <= 20 && this.running; id++) {
        session.turn(id, `[tokens:${1 + this.random.below(20)}] hello`)
        const accepted = await session.frame('turn.accepted', id, 5000)
        const done = await session.frame('turn.done', id, 5000)
        this.note(twin, { ...done, decision: accepted.decision })
      }
    })
  }

  // A stay in video: a room at the vendor, billed by the clock until somebody ends it.
  film(twin) {
    return this.visit(twin, { mode: 'video' }, async session => {
      for (let ms = 200 + this.random.below(3000); ms > 0 && this.running; ms -= 50) {
        await sleep(50)
        if (session.socket.readyState !== 1) return
      }
    })
  }

  async stop() {
    this.running = false
    const patience = setTimeout(() => {
      for (const session of this.open) session.socket.terminate()
    }, PATIENCE_MS)
    await Promise.all(this.tasks)
    clearTimeout(patience)
  }
}
