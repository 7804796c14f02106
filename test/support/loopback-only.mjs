// No test dials a public address or asks a public name server. This is loaded into the process of each test file, and by that
// into each gateway that it starts: what would leave the machine fails there, and is said.
import { ChildProcess } from 'node:child_process'
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { hostname } from 'node:os'

/** What was tried in this process. */
export const tried = []

/** The services of a run may be on another machine, as in some CIs. */
const services = ['DATABASE_URL', 'NATS_URL'].flatMap((name) => {
  const urls = (process.env[name] ?? '').split(',').map((text) => URL.parse(text))
  return urls.flatMap((url) => (url === null ? [] : [url.hostname.replaceAll(/^\[|\]$/g, '')]))
})
const known = new Set(['localhost', hostname(), ...services])

const isHere = (address) => /^127\.|^::1$|^::ffff:127\.|^0\.0\.0\.0$|^::$/.test(address) || known.has(address)

const refuse = (what, code) => {
  tried.push(what)
  const error = Object.assign(new Error(`a test would leave this machine: ${what}`), { code })
  process.stderr.write(`${error.message}\n`)
  return error
}

/** Every connection of Node's ends in one of these, with the address that it is made to. */
const guardConnections = () => {
  const { TCP } = process.binding('tcp_wrap')
  for (const method of ['connect', 'connect6']) {
    const original = TCP.prototype[method]
    TCP.prototype[method] = function (request, address, ...rest) {
      if (isHere(address)) return original.call(this, request, address, ...rest)
      // The range of documentation (RFC 3849), to which there is no way anywhere, and for whose lack of one tests ask.
      if (!address.startsWith('2001:db8:')) refuse(`connects to ${address}`, 'ENETUNREACH')
      return UNREACHABLE
    }
  }
}

/** What Linux and macOS call ENETUNREACH, as libuv returns it. */
const UNREACHABLE = process.platform === 'darwin' ? -51 : -101

/** Names that the system looks up without asking anybody, and those of the run's services, whose addresses are then known. */
const guardLookups = () => {
  const isKnown = (name) => known.has(name) || net.isIP(name) !== 0 || /(?:^|\.)localhost\.?$/i.test(name)
  const noName = (name) =>
    // Nobody has to be asked for what cannot exist (RFC 6761, 6.4).
    name.endsWith('.invalid')
      ? Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), {
          code: 'ENOTFOUND',
          syscall: 'getaddrinfo',
        })
      : refuse(`asks for ${name}`, 'EAI_AGAIN')
  const { lookup } = dns
  dns.lookup = (name, ...rest) => {
    const callback = rest.at(-1)
    if (!isKnown(name)) return process.nextTick(callback, noName(name))
    return lookup(name, ...rest.slice(0, -1), (error, found, family) => {
      if (services.includes(name)) for (const one of [found].flat()) known.add(one?.address ?? one)
      callback(error, found, family)
    })
  }
  const { lookup: promised } = dns.promises
  dns.promises.lookup = async (name, options) => {
    if (!isKnown(name)) throw noName(name)
    return promised(name, options)
  }
}

/** Whoever asks name servers by themselves may ask those of a test. */
const guardResolvers = () => {
  for (const Resolver of [dns.Resolver, dns.promises.Resolver]) {
    for (const method of ['resolve', 'resolve4', 'resolve6', 'resolveAny', 'resolveTxt', 'reverse']) {
      const original = Resolver.prototype[method]
      Resolver.prototype[method] = function (name, ...rest) {
        const strangers = this.getServers().filter((server) => !isHere(hostOf(server)))
        if (strangers.length > 0) throw refuse(`asks ${strangers.join(' and ')} for ${name}`, 'ECONNREFUSED')
        return original.call(this, name, ...rest)
      }
    }
  }
}

/** `127.0.0.1:5353`, `[::1]:53`, `::1`. */
const hostOf = (server) =>
  /^\[(.*)\]/.exec(server)?.[1] ?? (net.isIPv6(server) ? server : server.split(':')[0])

/** `gateway …`, from sources or bundled. */
const GATEWAY = /\/(?:src\/cli\/main\.ts|gateway\.mjs)$/

/** Each `gateway …` that is started loads this too, whatever environment it is given. */
const guardChildren = () => {
  const option = `--import=${import.meta.url}`
  const { spawn } = ChildProcess.prototype
  ChildProcess.prototype.spawn = function (options) {
    if (!options.args?.some((word) => GATEWAY.test(word))) return spawn.call(this, options)
    const pairs = options.envPairs ?? []
    const given = pairs.find((pair) => pair.startsWith('NODE_OPTIONS='))
    const others = pairs.filter((pair) => pair !== given)
    const value = given?.slice('NODE_OPTIONS='.length) ?? ''
    const nodeOptions = value.includes(option) ? value : `${value} ${option}`.trim()
    return spawn.call(this, { ...options, envPairs: [...others, `NODE_OPTIONS=${nodeOptions}`] })
  }
}

guardConnections()
guardLookups()
guardResolvers()
guardChildren()
syncBuiltinESMExports()
