"""Keys and tokens of cloud providers and services, by the prefixes and lengths that their publishers document."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator

from desensitizers.detectors.base import Detector, Span

_TOKENS = (
    r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|AIPA|ANPA|ANVA|APKA|ASCA)[A-Z2-7]{16}",  # AWS identifiers
    r"AIza[\w-]{35}",  # Google API key
    r"ya29\.[\w-]{20,}",  # Google OAuth access token
    r"GOCSPX-[\w-]{28}",
    r"gh[pousr]_[A-Za-z0-9]{36,251}",  # GitHub
    r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    r"gl(?:pat|rt|dt|ptt|ft|oas|cbt|imt|agent|soat|ffct)-[\w-]{20,}(?:\.[\w-]+)*",  # GitLab
    r"xox[abeoprs][-.][A-Za-z0-9.-]{10,}",  # Slack
    r"xapp-\d-[A-Z0-9]+-\d+-[A-Za-z0-9]{16,}",
    r"(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{16,}",  # Stripe
    r"whsec_[A-Za-z0-9+/=]{24,}",
    r"sk-ant-[\w-]{32,}",  # Anthropic
    r"sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}",  # OpenAI
    r"SG\.[\w-]{22}\.[\w-]{43}",  # SendGrid
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[\w-]{50,}",
    r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",  # Shopify
    r"dapi[0-9a-f]{32}(?:-\d)?",  # Databricks
    r"hv[sbr]\.[\w-]{24,}",  # HashiCorp Vault
    r"sq0(?:atp|csp)-[\w-]{22,43}",  # Square
    r"key-[0-9a-f]{32}",  # Mailgun
    r"[0-9a-f]{32}-us\d{1,2}",  # Mailchimp
    r"(?:AC|SK)[0-9a-f]{32}",  # Twilio
    r"\d{8,10}:AA[\w-]{33}",  # Telegram
    r"dop_v1_[0-9a-f]{64}",
    r"lin_api_[A-Za-z0-9]{32,}",
    r"NRAK-[A-Z0-9]{27}",  # New Relic
    r"ATATT3x[\w=-]{40,}|ATBB[A-Za-z0-9]{32}",  # Atlassian, Bitbucket
    r"dckr_(?:pat|oat)_[\w-]{27,}",  # Docker
    r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}",  # Grafana
    r"[A-Za-z0-9_~.]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}",  # Azure (Entra) client secret
)
_RARER = (
    r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}",  # Terraform
    r"[MNO][A-Za-z0-9]{23,27}\.[\w-]{6}\.[\w-]{27,38}",  # Discord
    r"ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}",  # Notion
    r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",  # Postman
    r"pul-[0-9a-f]{40}",  # Pulumi
    r"rubygems_[0-9a-f]{48}",
    r"sntry[su]_[A-Za-z0-9+/=_-]{40,}",  # Sentry
    r"sbp_[0-9a-f]{40}",  # Supabase
    r"vc[pik]_[A-Za-z0-9]{24,}",  # Vercel
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,}",  # Doppler
    r"sl\.[\w-]{90,}",  # Dropbox
    r"EAA[A-Z][\w-]{60,}",  # Meta, Square
    r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",  # Airtable
    r"figd_[\w-]{40,}",  # Figma
    r"f[mo]1[ra]?_[\w-]{40,}",  # Fly
    r"pscale_(?:tkn|oauth|pw)_[\w=.-]{32,64}",  # PlanetScale
    r"glc_eyJ[A-Za-z0-9+/=]{40,}",  # Grafana
    r"LTAI[A-Za-z0-9]{20}",  # Alibaba
    r"AKCp[A-Za-z0-9]{69}",  # JFrog
    r"EZ[AT]K[A-Za-z0-9]{54}",  # EasyPost
    r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}",  # age
    r"1//0[\w-]{40,}",  # Google OAuth refresh token
    r"HRKU-[\w-]{36,}",  # Heroku
    r"tskey-[a-z]+-[A-Za-z0-9-]{20,}",  # Tailscale
)
"""Searched in texts only: each form more costs a proof over every byte its time."""


def _alone(forms: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{'|'.join(forms)})(?![\w-])")


_TOKEN, _ANY_TOKEN = _alone(_TOKENS), _alone((*_TOKENS, *_RARER))
_LABELLED = (
    re.compile(r"\b(?:Account|SharedAccess)Key=([A-Za-z0-9+/]{42,86}={0,2})"),  # Azure connection strings
    re.compile(r"[?&]sig=([A-Za-z0-9%+/]{40,}={0,2})"),  # Azure shared access signature
    re.compile(r"(?i)(?:aws_?secret_?(?:access_?)?|secret_?access_?)key\W{1,6}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    re.compile(r"hooks\.slack\.com/services/(T\w{6,}/B\w{6,}/\w{16,})"),
)
_WEBHOOK = re.compile(r"discord(?:app)?\.com/api/webhooks/(\d{16,20}/[\w-]{60,})")
_AUTHORIZATION = re.compile(
    r"(?i)\b(?:bearer|basic|apikey|token)[ :=]{1,3}((?=[A-Za-z._~+/-]*\d)[A-Za-z0-9._~+/-]{16,}=*)"
)
_BASIC = re.compile(r"(?i)\bbasic[ :=]{1,3}([A-Za-z0-9+/]{6,}={0,2})(?![A-Za-z0-9+/=])")
_SURROGATE = re.compile(r"[0-9a-f]{32}")


def _find(text: str, strict: bool) -> Iterator[Span]:
    for match in (_TOKEN if strict else _ANY_TOKEN).finditer(text):
        yield match.span()
    for pattern in _LABELLED:
        for match in pattern.finditer(text):
            yield match.span(1)
    if not strict:  # in a finished copy the word may stand before a surrogate or anything else
        for match in _AUTHORIZATION.finditer(text):
            if not _SURROGATE.fullmatch(match[1]):
                yield match.span(1)
        for match in _WEBHOOK.finditer(text):
            yield match.span(1)
        for match in _BASIC.finditer(text):
            if _pair(match[1]):
                yield match.span(1)


def _pair(text: str) -> bool:
    """Whether it is a user and a password in base64 (RFC 7617)."""
    try:
        return ":" in base64.b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return False


DETECTOR = Detector(
    name="secret",
    version=2,
    summary="keys and tokens of AWS, Google, Azure, GitHub, GitLab, Slack, Stripe and others",
    kind="hex",
    prefilter=r"A(?:KIA|SIA|BIA|CCA|ROA|IDA|GPA|IPA|NPA|NVA|PKA|SCA)[A-Z2-7]{16}|AIza|ya29\.|GOCSPX-|gh[pousr]_"
    r"|github_pat_|gl(?:pat|rt|dt|ptt|ft|oas|cbt|imt|agent|soat|ffct)-|xox[abeoprs][-.]|xapp-|[srp]k_(?:live|test)_|whsec_|sk-[A-Za-z0-9_-]{20}|SG\.[\w-]{22}\."
    r"|npm_|pypi-AgE|hf_[A-Za-z0-9]{30}|do[opr]_v1_|shp(?:at|ca|pa|ss)_|dapi[0-9a-f]{32}|hv[sbr]\.|sq0(?:atp|csp)-"
    r"|key-[0-9a-f]{32}|[0-9a-f]{8}-us[0-9]|(?:AC|SK)[0-9a-f]{32}|:AA[\w-]{33}|lin_api_|NRAK-|glsa_|[78]Q~"
    r"|(?:Account|SharedAccess)Key=|[?&]sig=|(?i:aws_?secret|secret_?access_?key)|hooks\.slack\.com/services/"
    r"|ATATT3x|ATBB[A-Za-z0-9]{32}|dckr_",
    finder=_find,
)
