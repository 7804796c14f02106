// Preloaded into a process (`NODE_OPTIONS=--import=…`): its clock is wrong. `CLOCK_ERRORS` is a list of `[afterMs, errorMs]`: by
// how much the clock is off from so long after the start of the process on. A jump is two of them. Monotonic time is as it is,
// as on a machine whose clock is set.

const errors = JSON.parse(process.env['CLOCK_ERRORS'] ?? '[]') as [afterMs: number, errorMs: number][]

const RealDate = Date

const wrongNow = (): number => {
  const [, errorMs] = errors.findLast(([afterMs]) => afterMs <= performance.now()) ?? [0, 0]
  return RealDate.now() + errorMs
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given: unknown[], asked) =>
    Reflect.construct(target, given.length === 0 ? [wrongNow()] : given, asked) as Date,
  apply: () => new RealDate(wrongNow()).toString(),
  get: (target, name, receiver) =>
    name === 'now' ? wrongNow : (Reflect.get(target, name, receiver) as unknown),
})
