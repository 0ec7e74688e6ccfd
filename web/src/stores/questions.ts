/** A count that moves whenever the service tells of a question to or from the experts: whoever shows them asks again. */
import { defineStore } from 'pinia'
import { ref } from 'vue'

export const useQuestions = defineStore('questions', () => {
  const moved = ref(0)
  return { moved, told: () => (moved.value += 1) }
})
