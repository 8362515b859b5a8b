// The two stores a campaign runs on, each with a world of gateways over it and a way to read its
// ledger from outside.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { addGateway, startShared, stopShared } from '../cluster.mjs'
import { World } from '../harness.mjs'
import { Proxy } from './proxy.mjs'

const execute = promisify(execFile)

const SIMULATOR = ['--token-ms', '2', '--media-speed', '10', '--latency-ms', '5']

class SqliteStore {
  static async start(options) {
    const store = new SqliteStore()
    store.world = await World.start({ ...options, simulator: SIMULATOR })
    store.proxies = []
    store.gateways = [store.world]
    return store
  }

  table(name) {
    return `vito_${name}`
  }

  // The rows that a query yields, as objects. It reads the file, as a DBA would.
  async rows(sql) {
    const path = join(this.world.directory, 'var/twin.db')
    const options = { maxBuffer: 1 << 28 }
    const { stdout } = await execute('sqlite3', ['-readonly', '-json', path, sql], options)
    return stdout.trim() === '' ? [] : JSON.parse(stdout)
  }

  cost = 'cost_amount_nusd'
  coverMs = 3000 // what a room may run on without its gateway is held for so long
  airedUsd = '0.03'

  async stop() {
    await this.world.stop()
  }
}

class PostgresStore {
  static async start(options, gateways) {
    const store = new PostgresStore()
    const env = { ...options.env, TWIN_NODE: 'gw-1' }
    store.proxies = []
    store.world = await startShared({ ...options, simulator: SIMULATOR, env })
    store.gateways = [store.world]
    await store.throughProxy(store.world)
    for (let i = 2; i <= gateways; i++) {
      store.gateways.push(await addGateway(store.world, { TWIN_NODE: `gw-${i}` }))
      await store.throughProxy(store.gateways.at(-1))
    }
    return store
  }

  // Starts a gateway anew, with its connection to the database through a proxy of its own.
  async throughProxy(gateway) {
    const proxy = await Proxy.start(`${this.world.cluster.directory}/.s.PGSQL.5432`)
    this.proxies.push(proxy)
    gateway.proxy = proxy
    gateway.options.env.TWIN_STORE = `postgresql://postgres@127.0.0.1:${proxy.port}/twin`
    await gateway.crashAndRestart()
  }

  table(name) {
    return `vito.${name}`
  }

  async rows(sql) {
    const args = ['-h', this.world.cluster.directory, '-U', 'postgres', '-d', 'twin', '-At', '-c']
    const all = `SELECT coalesce(json_agg(t), '[]') FROM (${sql}) AS t`
    const { stdout } = await execute('psql', [...args, all], { maxBuffer: 1 << 28 })
    return JSON.parse(stdout)
  }

  cost = '(cost_amount * 1000000000)::BIGINT'
  coverMs = 10000
  airedUsd = '0.073'

  async stop() {
    await stopShared(this.world)
    for (const proxy of this.proxies) await proxy.stop()
  }
}

// options: env, program: of the gateways, as World.start() has them
export function startStore(kind, options, gateways) {
  return kind === 'sqlite' ? SqliteStore.start(options) : PostgresStore.start(options, gateways)
}
