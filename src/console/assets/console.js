// Everything works without this file. It brings the parts of a page up to date that are marked `data-live`, takes the
// code of a one-time link out of the address, and says of a file that it is too large before it is sent.

const bar = document.querySelector('[data-live-seconds]')
const seconds = Number(bar?.dataset.liveSeconds)
document.documentElement.classList.add('has-script')

/** Puts the new page's parts in the place of the old ones, but for one that somebody is typing in. */
const refresh = async () => {
  if (document.hidden) return
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
  if (answer.redirected) return location.reload()
  if (!answer.ok) return
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  for (const part of document.querySelectorAll('[data-live]')) {
    const fresh = page.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`)
    if (fresh !== null && !part.contains(document.activeElement)) part.replaceWith(fresh)
  }
}

if (seconds > 0) {
  const again = () =>
    setTimeout(
      () =>
        refresh()
          .catch(() => undefined)
          .finally(again),
      seconds * 1000,
    )
  again()
}

const code = document.querySelector('[data-code]')
if (code !== null && location.hash.length > 1) {
  code.value = decodeURIComponent(location.hash.slice(1))
  history.replaceState(null, '', location.pathname + location.search)
}

const file = document.querySelector('[data-most-bytes]')
file?.addEventListener('change', () => {
  const isTooLarge = [...file.files].some(({ size }) => size > Number(file.dataset.mostBytes))
  file.setCustomValidity(isTooLarge ? file.dataset.tooLarge : '')
  file.reportValidity()
})
