"""The W3C CCG's VC API (VCALM): any verifiable credential issued, any credential or presentation verified."""
