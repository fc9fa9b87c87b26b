"""The W3C CCG's VC API (VCALM): issue any verifiable credential, and verify any credential or presentation."""
