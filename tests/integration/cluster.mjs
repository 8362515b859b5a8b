// A PostgreSQL server of the tests' own: made in a temporary directory, reached by a Unix socket in
// it, synced as a real one, stopped by its process id.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { World } from './harness.mjs'

const versions = '/usr/lib/postgresql'

// PostgreSQL does not run as root: then it gets the user that its package has made.
function serverUser() {
  if (process.getuid() !== 0) return {}
  const id = flag => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

export class Cluster {
  static async start() {
    const cluster = new Cluster()
    const [newest] = readdirSync(versions).sort((a, b) => b - a)
    cluster.binaries = join(versions, newest, 'bin')
    cluster.user = serverUser()
    cluster.directory = await mkdtemp(join(tmpdir(), 'twin-pg-'))
    if (cluster.user.uid !== undefined) {
      await chown(cluster.directory, cluster.user.uid, cluster.user.gid)
    }
    cluster.run('initdb', '-D', 'data', '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync')
    await cluster.startServer()
    cluster.run('createdb', '-h', cluster.directory, '-U', 'postgres', 'twin')
    cluster.uri = `postgresql:///twin?host=${cluster.directory}&user=postgres`
    return cluster
  }

  run(program, ...args) {
    const options = { cwd: this.directory, encoding: 'utf8', ...this.user }
    const { status, stdout, stderr } = spawnSync(join(this.binaries, program), args, options)
    if (status !== 0) throw new Error(`${program}: ${stderr}`)
    return stdout
  }

  async startServer() {
    const settings = ['listen_addresses=', `unix_socket_directories=${this.directory}`]
    settings.push('shared_buffers=32MB', 'log_min_messages=error')
    settings.push('recovery_init_sync_method=syncfs') // a crash is followed by one sync, not thousands
    const args = ['-D', 'data', ...settings.flatMap(setting => ['-c', setting])]
    const start = () => {
      this.server = spawn(join(this.binaries, 'postgres'), args, {
        cwd: this.directory,
        stdio: 'ignore',
        ...this.user,
      })
      this.exited = once(this.server, 'exit')
    }
    start()
    for (let i = 0; i < 600; i++) {
      // After a crash a process of the former server may not have ended yet: then this one gives up.
      if (this.server.exitCode !== null) start()
      const ready = spawnSync(join(this.binaries, 'pg_isready'), ['-q', '-h', this.directory])
      if (ready.status === 0) return
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error('PostgreSQL did not start')
  }

  // The rows that a query yields, as texts.
  query(sql) {
    const rows = this.run(
      'psql',
      ...['-h', this.directory, '-U', 'postgres', '-d', 'twin', '-At', '-c', sql],
    )
    return rows.split('\n').filter(row => row !== '')
  }

  // Ends the server at once, and every connection with it; startServer() brings it back.
  async stopServer() {
    this.server.kill('SIGINT')
    await this.exited
  }

  // The server and all its processes.
  processes() {
    const children = spawnSync('pgrep', ['-P', `${this.server.pid}`], { encoding: 'utf8' })
    const pids = children.stdout.split('\n').filter(line => line !== '')
    return [this.server.pid, ...pids.map(Number)]
  }

  // Those of them that serve somebody's connection, without the one that is asked.
  backends() {
    const sql = `SELECT pid FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
    return this.query(sql).map(Number)
  }

  // As a power cut does: the server and all its processes at once, and then its recovery.
  async crash() {
    for (const pid of this.processes()) spawnSync('kill', ['-9', `${pid}`])
    await this.exited
    await rm(join(this.directory, 'data/postmaster.pid'), { force: true })
    await this.startServer()
  }

  async stop() {
    await this.stopServer()
    await rm(this.directory, { recursive: true, force: true })
  }
}

// A world whose gateway is on such a server, in `cluster`; further ones may join it.
export async function startShared(options = {}) {
  const cluster = await Cluster.start()
  const env = { TWIN_STORE: cluster.uri, ...(options.env ?? {}) }
  const world = await World.start({ ...options, env })
  return Object.assign(world, { cluster, others: [] })
}

// One more gateway over the same store. It has all that a world has.
export async function addGateway(world, env = {}) {
  const other = Object.create(world)
  other.options = { ...world.options, env: { ...world.options.env, ...env } }
  await other.startGateway()
  world.others.push(other)
  return other
}

export async function stopShared(world) {
  for (const other of world.others) await other.gateway.stop()
  await world.stop()
  await world.cluster.stop()
}
