import { describe, expect, it } from 'vitest'
import { csv } from './csv'

describe('a CSV file', () => {
  it('quotes what must be quoted, and runs nothing', () => {
    expect(csv([['a', 'b'], ['x,y', 'say "no"'], ['=1+1', -5]])).toBe('\uFEFFa,b\r\n"x,y","say ""no"""\r\n\'=1+1,-5\r\n')
  })
})
