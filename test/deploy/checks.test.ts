import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { judgeCompose, judgeContainerfile } from '../../scripts/check/deployment.ts'
import { judgeManifests } from '../../scripts/check/kubernetes-manifests.ts'

const ROOT = join(dirname(import.meta.dirname), '..')

const CONFIG_MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: one }\n'

describe('the checks of what deploys the gateway', () => {
  it('name an instruction that the Containerfile’s language does not have', () => {
    expect(judgeContainerfile('FROM scratch\nUSR 10001\n')).toEqual([
      expect.stringMatching(/^deploy\/Containerfile:2 {2}Unknown instruction: USR/),
    ])
    expect(judgeContainerfile('FROM scratch\nUSER 10001\n')).toEqual([])
  })

  it('name a word that Compose does not know', () => {
    expect(judgeCompose('name: one\nservices: { serve: { image: one, read_onyl: true } }\n')).toEqual([
      expect.stringContaining('/services/serve  must NOT have additional properties: read_onyl'),
    ])
    expect(judgeCompose('name: one\nservices: { serve: { image: one, read_only: true } }\n')).toEqual([])
  })

  it('name a field that Kubernetes does not have', async () => {
    const sources = [
      { path: 'right.yaml', text: `${CONFIG_MAP}data: { A: b }\n` },
      { path: 'wrong.yaml', text: `${CONFIG_MAP}dta: { A: b }\n` },
    ]
    const problems = await judgeManifests(ROOT, sources)
    expect(problems.join('\n')).toMatch(/wrong\.yaml ConfigMap.*"dta"' does not exist/)
    expect(problems.join('\n')).not.toContain('right.yaml')
  })

  it('name a field that Prometheus’s operator does not have', async () => {
    const monitor = (port: string) =>
      `apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nspec: { selector: {}, podMetricsEndpoints: [{ ${port}: a }] }\n`
    const sources = [
      { path: 'right.yaml', text: monitor('port') },
      { path: 'wrong.yaml', text: monitor('prot') },
    ]
    const problems = await judgeManifests(ROOT, sources)
    expect(problems.join('\n')).toMatch(/wrong\.yaml PodMonitor.*"prot"' does not exist/)
    expect(problems.join('\n')).not.toContain('right.yaml')
  })
})
