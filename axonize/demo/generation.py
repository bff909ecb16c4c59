"""How long one LLM generation takes and what it costs: prompt and output tokens, queue, prefill, decode."""

from dataclasses import dataclass

from axonize.demo.fleet import Pod
from axonize.demo.load import Moment


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A served model: its speed on one of the fleet's devices, unloaded, and its price in USD a million tokens."""

    name: str
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    usd_per_million_input: float
    usd_per_million_output: float


CHAT_8B = LanguageModel("meta-llama/Llama-3.1-8B-Instruct", 14_000, 92, 0.05, 0.12)
LLAMA_70B = LanguageModel("llama-3-70b", 2_600, 27, 0.40, 0.60)
CODE_7B = LanguageModel("qwen2.5-coder-7b", 7_500, 64, 0.04, 0.10)
MISTRAL_7B = LanguageModel("mistralai/Mistral-7B-Instruct-v0.3", 8_000, 70, 0.04, 0.10)
DEEPSEEK_LITE = LanguageModel("deepseek-ai/DeepSeek-V2-Lite-Chat", 19_000, 118, 0.07, 0.28)
QWEN_SMALL = LanguageModel("Qwen/Qwen2.5-1.5B-Instruct", 11_000, 105, 0.02, 0.06)


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation's tokens and its phases in seconds, one after the other."""

    model: LanguageModel
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    queue_s: float
    prefill_s: float
    decode_s: float

    @property
    def ttft_s(self) -> float:
        return self.queue_s + self.prefill_s

    @property
    def inference_s(self) -> float:
        return self.prefill_s + self.decode_s

    @property
    def total_s(self) -> float:
        return self.queue_s + self.prefill_s + self.decode_s

    @property
    def tokens_per_second(self) -> float:
        return round(self.output_tokens / self.decode_s, 2)

    @property
    def cost_usd(self) -> float:
        # A cached prompt token is billed at half.
        billed_input = self.prompt_tokens - self.cached_tokens / 2
        return round(
            billed_input * self.model.usd_per_million_input / 1e6
            + self.output_tokens * self.model.usd_per_million_output / 1e6,
            8,
        )


def generate(
    moment: Moment, pod: Pod, model: LanguageModel, *, prompt_tokens: int, mean_output_tokens: int, cached: bool = False
) -> Generation:
    """Return a generation as it would go on `pod` at this moment: the busier, the longer the queue and the tokens."""
    rng, load = moment.rng, moment.load(pod)
    prompt_tokens = max(8, round(moment.noisy(prompt_tokens, 0.4)))
    # Prefix caches keep whole blocks of 16 tokens.
    cached_tokens = 16 * int(prompt_tokens * rng.uniform(0.3, 0.9) / 16) if cached else 0
    output_tokens = max(2, round(moment.noisy(mean_output_tokens, 0.5)))
    queue_s = rng.expovariate(1 / (0.002 + 0.25 * load**4)) * moment.slowness
    prefill_s = moment.noisy(0.012 + (prompt_tokens - cached_tokens) / model.prefill_tokens_per_s * (1 + load))
    decode_s = moment.noisy(output_tokens / model.decode_tokens_per_s * (1 + 0.9 * load), 0.08) * moment.slowness**0.5
    return Generation(model, prompt_tokens, cached_tokens, output_tokens, queue_s, prefill_s, decode_s)
