"""Money: a fixed table of exchange rates, seeded share prices, the annuity formula."""

from agent_tuning.catalogue.simulators.world import draw
from agent_tuning.records import Json

PER_DOLLAR = {
    "USD": 1.0,
    "EUR": 0.92,
    "GBP": 0.79,
    "JPY": 151.2,
    "CHF": 0.9,
    "CNY": 7.23,
    "CAD": 1.36,
    "INR": 83.4,
    "AUD": 1.53,
    "KRW": 1372.0,
    "SEK": 10.7,
    "NOK": 10.9,
    "MXN": 16.9,
    "SGD": 1.35,
    "BRL": 5.1,
    "HKD": 7.82,
    "DKK": 6.87,
    "PLN": 3.95,
    "THB": 36.2,
    "CZK": 23.1,
    "HUF": 358.0,
    "ZAR": 18.6,
    "NZD": 1.66,
    "TRY": 32.4,
    "ILS": 3.72,
    "PHP": 57.1,
    "MYR": 4.73,
    "IDR": 16100.0,
}


def _rate(base: str, quote: str) -> float:
    for code in (base, quote):
        if code not in PER_DOLLAR:
            raise ValueError(f"no currency {code!r}: expected one of {', '.join(PER_DOLLAR)}")
    return PER_DOLLAR[quote] / PER_DOLLAR[base]


def convert_currency(amount: float, from_currency: str, to_currency: str) -> dict[str, Json]:
    return {
        "amount": round(amount * _rate(from_currency, to_currency), 2),
        "currency": to_currency,
    }


def get_exchange_rate(base: str, quote: str) -> dict[str, Json]:
    return {"rate": round(_rate(base, quote), 4), "inverse": round(_rate(quote, base), 4)}


def get_stock_price(ticker: str) -> dict[str, Json]:
    price = 20 + draw("share", ticker, below=48000) / 100
    change = (draw("change", ticker, below=81) - 40) / 10
    return {"price": round(price, 2), "currency": "USD", "change": change}


def calculate_loan_payment(principal: float, annual_rate: float, years: int) -> dict[str, Json]:
    months = round(years * 12)
    monthly_rate = annual_rate / 1200
    if monthly_rate:
        monthly = principal * monthly_rate / (1 - (1 + monthly_rate) ** -months)
    else:
        monthly = principal / months
    total = monthly * months
    return {
        "monthly": round(monthly, 2),
        "total": round(total, 2),
        "interest": round(total - principal, 2),
    }


TOOLS = (convert_currency, get_exchange_rate, get_stock_price, calculate_loan_payment)
