// Clients of one round: they talk to twins of that round until they are told to stop, bear
// whatever happens to the servers, and remember what they were told was done.
import { sleep } from '../harness.mjs'

const PRICES = { interaction_usd: '0.01', token_1k_usd: '0.01' }

function twinDocument(limitUsd) {
  return {
    policy_config: {
      limits: { monthly_hard_limit_usd: limitUsd },
      rate: { per_second: 1000, burst: 1000 },
      prices: PRICES,
    },
  }
}

export class Load {
  // `gateways`: any of them serves any client. `random`: the campaign's.
  constructor(gateways, random) {
    this.gateways = gateways
    this.random = random
    this.acknowledged = [] // { tenant, decision, cost }: the client holds a receipt
    this.refused = 0
    this.failed = 0
    this.running = true
    this.tasks = []
    this.open = new Set()
  }

  async start(name) {
    const [world] = this.gateways
    const rich = await world.twin(`${name}-rich`, twinDocument('1000'))
    const tight = await world.twin(`${name}-tight`, twinDocument('0.40'))
    const filmed = await world.twin(`${name}-filmed`, twinDocument('1000'))
    this.twins = [rich, tight, filmed]
    for (let i = 0; i < 3; i++) this.tasks.push(this.loop(() => this.httpTurn(tight)))
    for (let i = 0; i < 2; i++) this.tasks.push(this.loop(() => this.httpTurn(rich)))
    this.tasks.push(this.loop(() => this.conversation(rich, 'text', 'json')))
    this.tasks.push(this.loop(() => this.conversation(rich, 'voice', 'msgpack')))
    for (let i = 0; i < 2; i++) this.tasks.push(this.loop(() => this.film(filmed)))
  }

  pick() {
    return this.gateways[this.random.below(this.gateways.length)]
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
    this.acknowledged.push({
      tenant: twin.id,
      decision: answer.decision.id,
      cost: answer.cost_usd,
    })
  }

  async httpTurn(twin) {
    const tokens = 1 + this.random.below(30)
    const answer = await this.pick().turn(twin, { text: `[tokens:${tokens}] hello`, mode: 'text' })
    if (answer.status === 200) this.note(twin, answer.body)
    else this.refused++
    if (answer.status === 402) await sleep(100)
  }

  async conversation(twin, mode, format) {
    const session = this.pick().session(twin, { mode, format })
    this.open.add(session)
    try {
      await session.started()
      for (let id = 1; id <= 20 && this.running; id++) {
        session.turn(id, `[tokens:${1 + this.random.below(20)}] hello`)
        const accepted = await session.frame('turn.accepted', id, 5000)
        const done = await session.frame('turn.done', id, 5000)
        this.note(twin, { ...done, decision: accepted.decision })
      }
      await session.end()
    } finally {
      session.socket.terminate()
      this.open.delete(session)
    }
  }

  // A stay in video: a room at the vendor, billed by the clock until somebody ends it.
  async film(twin) {
    const session = this.pick().session(twin, { mode: 'video' })
    this.open.add(session)
    try {
      await session.started()
      for (let ms = 200 + this.random.below(3000); ms > 0 && this.running; ms -= 50) {
        await sleep(50)
        if (session.socket.readyState !== 1) return
      }
      await session.end()
    } finally {
      session.socket.terminate()
      this.open.delete(session)
    }
  }

  async stop() {
    this.running = false
    const patience = setTimeout(() => {
      for (const session of this.open) session.socket.terminate()
    }, 3000)
    await Promise.all(this.tasks)
    clearTimeout(patience)
  }
}
