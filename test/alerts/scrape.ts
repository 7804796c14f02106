/** A sample of a scrape. */
export type Sample = { metric: string; labels: Record<string, string>; value: number }

const LINE = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g

/** Reads what `/metrics` answers at a process's operators' port; `job` and `instance` are added, as Prometheus does. */
export const scrape = async (opsUrl: string, job: string): Promise<Sample[]> => {
  const answer = await fetch(`${opsUrl}/metrics`)
  if (answer.status !== 200) throw new Error(await answer.text())
  const own = { job, instance: new URL(opsUrl).host }
  return [{ metric: 'up', labels: own, value: 1 }, ...parseSamples(await answer.text(), own)]
}

/** The samples of an answer in Prometheus' text format. */
export const parseSamples = (text: string, own: Record<string, string>): Sample[] =>
  text.split('\n').flatMap((line): Sample[] => {
    const [, metric = '', labels = '', value] = LINE.exec(line) ?? []
    if (metric === '') return []
    const named = [...labels.matchAll(LABEL)].map(([, name = '', quoted = '']) => [name, quoted])
    return [{ metric, labels: { ...own, ...Object.fromEntries(named) }, value: Number(value) }]
  })
