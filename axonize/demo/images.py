"""Image generation with the Axonize SDK: text embedding on one card, diffusion on four at once, decoding on one."""

from dataclasses import replace

from opentelemetry.util.types import AttributeValue

from axonize.demo.axonize_sdk import out_of_memory, sdk_span
from axonize.demo.fleet import IMAGE_GEN
from axonize.demo.load import Moment, energy_wh, gpu_attributes
from axonize.demo.spans import SECOND_NS, Step, ns
from axonize.demo.texts import IMAGE_PROMPTS

_ON_FIRST_CARD = replace(IMAGE_GEN, devices=IMAGE_GEN.devices[:1])
# Four A100s at 2.21 USD an hour each.
_USD_PER_SECOND = 4 * 2.21 / 3600


def image_generation(moment: Moment) -> Step:
    """Return one image of 20 to 30 diffusion steps."""
    embedding = _vit_embedding(moment)
    diffusion = _diffusion(moment, start_ns=embedding.end_ns + 500_000)
    decode_ns = diffusion.end_ns + 400_000
    decode = sdk_span(
        IMAGE_GEN,
        "vae_decode",
        decode_ns,
        decode_ns + ns(moment.noisy(0.12)),
        {"ai.model.name": "sdxl-vae"} | gpu_attributes(moment, _ON_FIRST_CARD),
    )
    end_ns = decode.end_ns + 1_500_000
    attributes = _request_attributes(moment) | {
        "cost.usd": round(end_ns / SECOND_NS * _USD_PER_SECOND, 6),
        "cost.energy_wh": energy_wh(moment, IMAGE_GEN, end_ns / SECOND_NS),
    }
    return sdk_span(IMAGE_GEN, "image_generation", 0, end_ns, attributes, children=(embedding, diffusion, decode))


def image_out_of_memory(moment: Moment) -> Step:
    """Return an image whose diffusion runs out of memory in its first step."""
    embedding = _vit_embedding(moment)
    start_ns = embedding.end_ns + 500_000
    end_ns = start_ns + ns(moment.noisy(0.035))
    message, event = out_of_memory(
        IMAGE_GEN,
        end_ns,
        asked_gib=2.0,
        source='File "/srv/image_gen/unet.py", line 91, in forward',
        line="attention = torch.softmax(scores, dim=-1)",
    )
    attributes = _diffusion_attributes(moment, steps=30) | gpu_attributes(moment, IMAGE_GEN)
    diffusion = sdk_span(IMAGE_GEN, "diffusion", start_ns, end_ns, attributes, error=message, events=(event,))
    return sdk_span(
        IMAGE_GEN,
        "image_generation",
        0,
        end_ns + 300_000,
        _request_attributes(moment),
        error=message,
        children=(embedding, diffusion),
    )


def _request_attributes(moment: Moment) -> dict[str, AttributeValue]:
    return {"prompt": moment.rng.choice(IMAGE_PROMPTS), "image.width": 1024, "image.height": 1024}


def _diffusion_attributes(moment: Moment, *, steps: int) -> dict[str, AttributeValue]:
    return {
        "ai.model.name": "stable-diffusion-xl",
        "ai.model.version": "1.0-fp16",
        "ai.inference.type": "diffusion",
        "ai.inference.batch_size": 4,
        "ai.diffusion.steps": steps,
        "ai.diffusion.cfg_scale": moment.rng.choice((5.0, 7.5, 9.0)),
    }


def _vit_embedding(moment: Moment) -> Step:
    attributes = {"ai.model.name": "ViT-L/14", "ai.inference.type": "embedding"} | gpu_attributes(
        moment, _ON_FIRST_CARD
    )
    return sdk_span(IMAGE_GEN, "vit_embedding", 2_000_000, 2_000_000 + ns(moment.noisy(0.011)), attributes)


def _diffusion(moment: Moment, *, start_ns: int) -> Step:
    count = moment.rng.choice((20, 25, 30))
    steps: list[Step] = []
    end_ns = start_ns + 800_000
    for number in range(count):
        steps.append(_unet_step(moment, number, end_ns))
        end_ns = steps[-1].end_ns + 90_000
    attributes = _diffusion_attributes(moment, steps=count) | gpu_attributes(moment, IMAGE_GEN)
    return sdk_span(IMAGE_GEN, "diffusion", start_ns, end_ns, attributes, children=tuple(steps))


def _unet_step(moment: Moment, number: int, start_ns: int) -> Step:
    duration_s = moment.noisy(0.061, 0.05) * (1 + 0.3 * moment.load(IMAGE_GEN)) * moment.slowness**0.5
    attributes: dict[str, AttributeValue] = {"step": number}
    return sdk_span(
        IMAGE_GEN,
        f"unet_step_{number}",
        start_ns,
        start_ns + ns(duration_s),
        attributes | gpu_attributes(moment, IMAGE_GEN),
    )
