// What is done to the processes, and when: drawn from the campaign's seed.
import { sleep, World } from '../harness.mjs'

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
}

async function pause(process, ms) {
  process.kill('SIGSTOP')
  await sleep(ms)
  process.kill('SIGCONT')
}

const faults = {
  async gateway_kill(campaign, { gateway }) {
    await gateway.gateway.stop('SIGKILL')
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

  // The vendor forgets everything. What it had charged until then is kept.
  async vendor_kill(campaign) {
    campaign.world.simulator.process.kill('SIGSTOP')
    campaign.world.simulator.process.kill('SIGCONT')
    await campaign.keepBill()
    await campaign.world.simulator.stop('SIGKILL')
    campaign.vendorForgot = true
    await campaign.world.restartSimulator()
    await campaign.setPrices()
  },

  async database_kill(campaign) {
    await campaign.world.cluster.crash()
  },

  async backend_kill(campaign) {
    campaign.world.cluster.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE usename = 'postgres' AND pid <> pg_backend_pid() AND query <> ''`,
    )
  },

  async database_pause(campaign, { ms }) {
    await pause(campaign.world.cluster.server, ms)
  },

  async commit_cut(campaign, { random }) {
    random.pick(campaign.store.proxies).cutAfterCommit(1 + random.below(3))
    await sleep(200)
  },
}

const drawn = {
  sqlite: [
    ...['gateway_kill', 'gateway_kill', 'gateway_kill', 'gateway_kill_in_flight'],
    ...['gateway_pause', 'vendor_pause', 'vendor_kill'],
  ],
  postgres: [
    ...['gateway_kill', 'gateway_kill', 'gateway_kill_in_flight', 'gateway_pause'],
    ...['vendor_pause', 'vendor_kill', 'database_kill', 'backend_kill', 'database_pause'],
    ...['commit_cut', 'commit_cut'],
  ],
}

export function drawFault(random, kind) {
  return random.pick(drawn[kind])
}

// Lets it happen. Returns once it has; dead gateways stay dead.
export async function strike(campaign, name, random) {
  await faults[name](campaign, {
    random,
    gateway: random.pick(campaign.store.gateways),
    ms: 200 + random.below(1500),
  })
}

// A simulator that comes back is at the same address.
World.prototype.restartSimulator = async function restartSimulator() {
  const { port } = new URL(this.simulator.url)
  this.simulator = await World.startSimulator(['--port', port, ...(this.options.simulator ?? [])])
}
