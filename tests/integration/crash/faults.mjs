// What is done to the processes, and when: drawn from the campaign's seed.
import { sleep, until, World } from '../harness.mjs'

const LEASE_MS = 5000 // of a gateway on PostgreSQL

// A 32-bit generator (mulberry32): the same seed, the same faults at the same times.
export class Random {
  constructor(seed) {
    this.state = seed >>> 0
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  below(count) {
    return this.next() % count
  }

  pick(list) {
    return list[this.below(list.length)]
  }

  // So many of them, in any order.
  some(list, count) {
    const rest = [...list]
    return Array.from({ length: count }, () => rest.splice(this.below(rest.length), 1)[0])
  }
}

async function pause(process, ms) {
  process.kill('SIGSTOP')
  await sleep(ms)
  process.kill('SIGCONT')
}

function signalAll(pids, signal) {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {} // it has ended by itself
  }
}

// One gateway's lease has run out, and another one has settled what it had open.
function untilReaped(campaign, gateway) {
  const sql = `SELECT 1 FROM vito.nodes WHERE node = '${gateway.options.env.TWIN_NODE}'
    AND state = 'ended'`
  return until(async () => (await campaign.store.rows(sql)).length > 0, 'another gateway to settle')
}

// The database may be coming back from the last fault.
async function oneBackend(campaign, random) {
  let pids
  const found = () => {
    try {
      pids = campaign.world.cluster.backends()
    } catch {
      return false
    }
    return pids.length > 0
  }
  await until(found, 'a connection to the database')
  return random.pick(pids)
}

async function cutCommits(proxy, which, count) {
  const before = proxy.cuts[which]
  proxy.cut(which, count)
  await until(() => proxy.cuts[which] > before, 'a commit to cut')
  await sleep(100)
}

const faults = {
  async gateway_kill(campaign, { gateway }) {
    await gateway.gateway.stop('SIGKILL')
  },

  // Again, while it sees to what the first one has left.
  async gateway_kill_twice(campaign, { gateway, random }) {
    await gateway.gateway.stop('SIGKILL')
    await gateway.startGateway()
    await sleep(random.below(300))
    await gateway.gateway.stop('SIGKILL')
  },

  // It stays dead, and others see to what it has left once its lease has run out.
  async gateway_lost(campaign, { gateway }) {
    await gateway.gateway.stop('SIGKILL')
    await untilReaped(campaign, gateway)
  },

  // It sleeps until it is taken for dead, and then goes on.
  async gateway_frozen(campaign, { gateway }) {
    gateway.gateway.process.kill('SIGSTOP')
    await untilReaped(campaign, gateway)
    gateway.gateway.process.kill('SIGCONT')
  },

  async gateway_pause(campaign, { gateway, ms }) {
    await pause(gateway.gateway.process, ms)
  },

  async vendor_pause(campaign, { ms }) {
    await pause(campaign.world.simulator.process, ms)
  },

  // Requests are on their way to a vendor that stands still; those who sent them die. It carries
  // them out nevertheless.
  async gateway_kill_in_flight(campaign, { gateway }) {
    const vendor = campaign.world.simulator.process
    vendor.kill('SIGSTOP')
    await sleep(300)
    await gateway.gateway.stop('SIGKILL')
    vendor.kill('SIGCONT')
  },

  // The vendor forgets everything. What it had charged shortly before is kept.
  async vendor_kill(campaign) {
    await campaign.keepBill()
    campaign.vendorForgets()
    await campaign.world.simulator.stop('SIGKILL')
    await campaign.world.restartSimulator()
    await campaign.setPrices()
  },

  async database_kill(campaign) {
    await campaign.world.cluster.crash()
  },

  async database_pause(campaign, { ms }) {
    const pids = campaign.world.cluster.processes()
    signalAll(pids, 'SIGSTOP')
    await sleep(ms)
    signalAll(pids, 'SIGCONT')
  },

  // All leases run out meanwhile, and nobody could settle for anybody.
  async database_frozen(campaign) {
    const pids = campaign.world.cluster.processes()
    signalAll(pids, 'SIGSTOP')
    await sleep(LEASE_MS + 1000)
    signalAll(pids, 'SIGCONT')
  },

  // The server ends all the others when one of its own died.
  async backend_kill(campaign, { random }) {
    signalAll([await oneBackend(campaign, random)], 'SIGKILL')
    await sleep(50)
    await oneBackend(campaign, random)
  },

  // It stands still with whatever it has locked.
  async backend_pause(campaign, { random, ms }) {
    const pid = await oneBackend(campaign, random)
    signalAll([pid], 'SIGSTOP')
    await sleep(ms)
    signalAll([pid], 'SIGCONT')
  },

  commit_unheard(campaign, { gateway, random }) {
    return cutCommits(gateway.proxy, 'unheard', 1 + random.below(3))
  },

  commit_unsent(campaign, { gateway, random }) {
    return cutCommits(gateway.proxy, 'unsent', 1 + random.below(3))
  },
}

// The more often a name is here, the more often it is drawn.
const drawn = {
  sqlite: [
    ...['gateway_kill', 'gateway_kill', 'gateway_kill_twice', 'gateway_kill_in_flight'],
    ...['gateway_pause', 'vendor_pause', 'vendor_kill'],
  ],
  postgres: [
    ...['gateway_kill', 'gateway_kill', 'gateway_kill_twice', 'gateway_kill_in_flight'],
    ...['gateway_kill', 'gateway_pause', 'vendor_pause', 'vendor_kill'],
    ...['database_kill', 'database_pause', 'database_frozen', 'backend_kill', 'backend_pause'],
    ...['commit_unheard', 'commit_unheard', 'commit_unsent', 'commit_unsent'],
  ],
  several: ['gateway_lost', 'gateway_lost', 'gateway_frozen'],
}

export function faultsOf(kind, gatewayCount) {
  return [...drawn[kind], ...(gatewayCount > 1 ? drawn.several : [])]
}

export const FAULTS = Object.keys(faults)

// Lets it happen. Returns once it has; dead gateways stay dead.
export async function strike(campaign, name, random) {
  await faults[name](campaign, {
    random,
    gateway: random.pick(campaign.loaded),
    ms: 100 + random.below(1400),
  })
}

// A simulator that comes back is at the same address, and gives no id for the second time.
World.prototype.restartSimulator = async function restartSimulator() {
  const { port } = new URL(this.simulator.url)
  this.restarts = (this.restarts ?? 0) + 1
  const options = ['--port', port, '--id-base', `${this.restarts}`]
  this.simulator = await World.startSimulator([...options, ...(this.options.simulator ?? [])])
}
