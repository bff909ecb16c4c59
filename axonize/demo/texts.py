"""What the demo's users ask and what they are answered."""

QUESTIONS = (
    "How do I rotate the API keys of a service account without downtime?",
    "Summarise the incident report from last night in three sentences.",
    "Translate the release notes into German, keep the product names.",
    "Which regions support private endpoints for the vector database?",
    "Write a polite answer to a customer whose parcel is two days late.",
    "Explain the difference between tensor and pipeline parallelism to a new colleague.",
    "Why does my query plan show a sequential scan although there is an index?",
)
ANSWERS = (
    "Create the second key first, roll it out to all consumers, watch the old key's use fall to zero, then revoke it.",
    "A node lost its link for eleven minutes. Requests were retried on the other zone. No data was lost.",
    "Private endpoints are available in all regions except the two newest; those follow this quarter.",
    "The table is small enough that reading it whole is cheaper than going through the index.",
)
_CLAUSE = (
    "The supplier shall keep the agreed availability of the inference endpoints in each calendar month, measured at "
    "the gateway, and shall report any deviation within two working days together with its cause and the remedy. "
)
LONG_DOCUMENT = "Summarise this contract.\n\n" + "\n".join(f"§ {number}. {_CLAUSE}" for number in range(1, 191))

DOCUMENTS = ("handbook/gpu-quota.md", "handbook/on-call.md", "runbooks/mig-reconfigure.md", "faq/billing.md")
IMAGE_PROMPTS = (
    "a lighthouse at dusk, oil on canvas",
    "isometric data centre, soft light",
    "red panda reading a newspaper, studio photograph",
)
