"""What field names mean, in several languages: phrases by meaning, as they stand in names of any spelling.

``customerEmail``, ``customer_email``, ``CustomerE-Mail`` and ``kundenemail`` say the same. Words are compared joined,
without accents; a word of five letters or more is found at the end of a compound, too.
"""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


PHRASES: dict[str, str] = {
    "email": """
        email, emails, mail, e mail, email address, mail address, email adresse, mailadresse, correo, correo
        electronico, courriel, adresse electronique, posta elettronica, epost, e postadresse, sahkoposti, email
        id
        """,
    "phone": """
        phone, phones, phone number, phone no, telephone, telephone number, mobile, mobile number, mobile phone,
        cell, cell phone, msisdn, fax, fax number, tel, tel no, telefon, telefonnummer, handy, handynummer,
        mobil, mobilnummer, rufnummer, telefono, movil, celular, telefone, telemovel, cellulare, numero
        telephone, numero de telephone, portable, telefoon, telefoonnummer, mobiel, puhelin, puhelinnumero, nr
        telefonu, komorka, whatsapp, contact number
        """,
    "card": """
        card, card number, card no, credit card, credit card number, debit card, pan, cc number, ccnum, payment
        card, kartennummer, kreditkarte, kreditkartennummer, numero carte, carte bancaire, tarjeta, numero
        tarjeta, numero de tarjeta, carta credito, numero carta, cartao, numero cartao, kortnummer, kaartnummer,
        numer karty
        """,
    "iban": "iban, iban number, iban no, iban code, ibannummer",
    "bank_account": """
        account no, bank account, bank account number, sort code, routing number, kontonummer, bankverbindung,
        rib, cuenta bancaria, conto corrente, rekeningnummer, kontonr, clabe
        """,
    "name": """
        first name, last name, family name, sur name, given name, given names, middle name, full name, maiden
        name, birth name, display name, person name, customer name, client name, user full name, holder, card
        holder, card holder name, account holder, holder name, beneficiary, beneficiary name, contact name,
        contact person, recipient name, sender name, owner name, employee name, patient name, payer name, payee
        name, debtor name, creditor name, nachname, vorname, vornamen, familienname, geburtsname, kontoinhaber,
        karteninhaber, ansprechpartner, empfaenger name, kundenname, prenom, nom famille, nom de famille, nom
        complet, nom client, titulaire, nombre completo, nombre cliente, apellido, apellidos, primer nombre,
        titular, cognome, nome completo, intestatario, sobrenome, apelido, primeiro nome, voornaam, achternaam,
        fornamn, efternamn, fornavn, etternavn, efternavn, etunimi, sukunimi, imie, nazwisko, jmeno, prijmeni,
        mother maiden name
        """,
    "maybe_name": "name, names, nom, nombre, nome, naam, namn, navn, nimi, nazwa, label, title",
    "username": """
        user name, login, login name, login id, nick name, nick, handle, screen name, benutzername, benutzer,
        usuario, nom utilisateur, identifiant, nome utente, gebruikersnaam, anvandarnamn, principal, actor,
        author, created by, updated by, modified by, changed by, approved by, assigned to, assignee, issued by,
        requested by, operator, agent name
        """,
    "address": """
        address, addresses, address line, address line1, address line2, street, street address, street name,
        line1, line2, house number, house no, building, apartment, flat, po box, postal address, delivery
        address, billing address, shipping address, home address, adresse, anschrift, strasse, hausnummer,
        hausnr, postfach, rue, numero rue, voie, direccion, calle, domicilio, indirizzo, via, endereco, rua,
        adres, straat, huisnummer, adress, gata, vej, gate, osoite, katu, ulica, ulice
        """,
    "town": """
        city, town, village, municipality, locality, suburb, district, ort, stadt, wohnort, gemeinde, ville,
        commune, ciudad, poblacion, municipio, citta, comune, cidade, plaats, woonplaats, stad, kaupunki,
        miasto, mesto, postal town
        """,
    "postcode": """
        post code, postal code, zip, zip code, plz, postleitzahl, code postal, codigo postal, cap code, codice
        postale, postnummer, postcode, postinumero, kod pocztowy, psc, pincode, eircode
        """,
    "country": "country, country code, land, landcode, laendercode, pays, pais, paese, code pays, maa, kraj, nation",
    "born": """
        birth, birth date, birthday, date of birth, dob, born, born at, born on, geburtsdatum, geburtstag,
        geboren, date naissance, date de naissance, naissance, fecha nacimiento, fecha de nacimiento,
        nacimiento, data nascita, data di nascita, nascita, data nascimento, data de nascimento, geboortedatum,
        fodelsedatum, fodselsdato, syntymaaika, data urodzenia, death date, date of death
        """,
    "age": "age, age years, alter, edad, eta, idade, leeftijd, alder, ika, wiek",
    "gender": """
        gender, sex, salutation, geschlecht, anrede, sexe, civilite, sexo, genero, sesso, geslacht, kon, kjonn,
        plec, mr mrs
        """,
    "special": """
        religion, faith, confession, church, ethnicity, ethnic, ethnic group, race, skin colour, skin color,
        sexual orientation, political, political party, party membership, trade union, union member, health,
        disease, diagnosis, diagnoses, illness, disability, disabled, medication, prescription, treatment,
        allergy, allergies, pregnant, pregnancy, blood type, blood group, genetic, dna, biometric, fingerprint,
        criminal, conviction, konfession, kirche, herkunft, gesundheit, krankheit, diagnose, behinderung,
        schwanger, blutgruppe, gewerkschaft, vorstrafe, sante, maladie, handicap, salud, enfermedad, salute,
        malattia, gezondheid, ziekte, smoker, icd, icd10, insurance status
        """,
    "family": """
        marital, marital status, civil status, children, number of children, dependents, household, household
        size, nationality, citizenship, occupation, profession, job title, employer, education, familienstand,
        kinder, staatsangehoerigkeit, nationalitaet, beruf, arbeitgeber, situation familiale, nationalite,
        profesion, estado civil, nacionalidad, stato civile, nazionalita, cittadinanza, credit score, risk
        score, rating score
        """,
    "income": """
        income, salary, wage, wages, pay grade, net worth, gehalt, lohn, einkommen, salaire, revenu, salario,
        ingresos, stipendio, reddito, salaris, inkomen, lon, palkka, wynagrodzenie
        """,
    "national_id": """
        ssn, social security, social security number, social security no, national id, national identity, nino,
        national insurance number, tax id, tax number, tax no, tin, itin, vat id, passport, passport number,
        passport no, identity card, id card, id card number, id number, drivers license, driver license, driving
        licence, license number, steuer id, steuernummer, steuerid, sozialversicherungsnummer, personalausweis,
        ausweisnummer, passnummer, fuehrerschein, numero securite sociale, nir, siren, dni, nif, nie, curp, rfc,
        codice fiscale, cpf, cnpj, bsn, personnummer, cpr, fodselsnummer, hetu, pesel, rodne cislo, cnp, oib,
        egn, aadhaar, insurance number, nhs number, health insurance number, krankenversichertennummer, kvnr
        """,
    "ip": """
        ip, ips, ip address, ip addr, client ip, remote ip, source ip, remote addr, remote address, x forwarded
        for, forwarded for, x real ip, host ip, ipv4, ipv6, ip adresse, peer address
        """,
    "mac": "mac, mac address, mac addr, bssid, hardware address",
    "device": """
        device, device id, imei, imsi, iccid, idfa, gaid, advertising id, ad id, android id, serial number,
        serial no, browser id, visitor id, cookie id, fingerprint id, push token, geraetenummer, seriennummer,
        user agent, useragent, browser
        """,
    "plate": """
        plate, license plate, licence plate, number plate, registration number, vin, vehicle id, kennzeichen,
        fahrgestellnummer, fin number, immatriculation, matricula, targa, kenteken
        """,
    "secret": """
        password, passwd, pwd, pass phrase, passphrase, secret, secrets, api key, apikey, x api key, access key,
        secret key, client secret, token, access token, refresh token, id token, bearer, auth, authorization,
        authentication, proxy authorization, credential, credentials, cookie, cookies, set cookie, session id,
        session, session token, pin, pin code, cvv, cvc, cvv2, security code, otp, one time password, private
        key, signing key, csrf, jwt, kennwort, passwort, geheimnis, mot de passe, contrasena, clave, senha,
        wachtwoord, losenord, salasana, haslo, security answer, security question, baggage, x user token
        """,
    "position": "lat, latitude, lon, lng, long, longitude, geo, geo location, coordinates, coords, gps, location point",
    "text": """
        note, notes, comment, comments, message, msg, description, remark, remarks, reason, text, body, content,
        details, memo, feedback, review, complaint, instruction, instructions, purpose, reference text,
        remittance information, exception, error, error message, stack trace, stacktrace, exception message,
        free text, query, search term, bemerkung, kommentar, nachricht, beschreibung, hinweis, grund,
        verwendungszweck, freitext, anmerkung, remarque, commentaire, motif, libelle, comentario, nota, mensaje,
        descripcion, motivo, commento, messaggio, descrizione, causale, mensagem, descricao, opmerking, bericht,
        omschrijving, meddelande, viesti, uwagi, opis
        """,
    "choice": """
        status, state, type, kind, category, class, level, severity, priority, mode, channel, currency, unit,
        units, version, spec version, schema version, release, action, event, event type, operation, op,
        command, step, stage, phase, result, outcome, method, protocol, format, encoding, content type, data
        content type, media type, mime type, language, lang, locale, region, zone, environment, env, source,
        component, service, application, app, module, host role, tenant type, reason code, error code, error
        class, exception class, code, flag, role, tier, plan, product type, waehrung, einheit, devise, moneda,
        valuta, moeda, statut, estado, stato, schema, topic, partition, channel type, time zone, timezone,
        frequency, direction, symbol, bucket
        """,
    "measure": """
        count, counts, number of, total count, size, length, bytes, latency, latency ms, duration, duration
        ms, elapsed, elapsed ms, retries, retry, retry count, attempt, attempts, offset, partition, sequence,
        seq, seq no, sequence number, epoch, percent, percentage, ratio, rate, throughput, lag, queue size,
        version number, revision, position index, index, page, limit, quantity, qty, menge, anzahl, dauer,
        nombre de, cantidad, quantita, aantal, window size, ttl, timeout, weight, width, height
        """,
    "amount": """
        amount, amounts, amount cents, value, price, unit price, total, sub total, sum, cost, fee, fees, tax,
        vat, discount, balance, credit, debit, cents, betrag, preis, summe, gebuehr, saldo, montant, prix,
        solde, importe, precio, total amount, importo, prezzo, valor, preco, bedrag, prijs, belopp, pris, summa,
        kwota, cena
        """,
    "time": """
        time, timestamp, ts, at, date, datetime, created, created at, updated, updated at, occurred at, event
        time, received at, sent at, start, start time, end, end time, window start, window end, begin, finished
        at, completed at, requested at, processed at, ts ms, ts us, ts ns, event date, zeit, zeitpunkt,
        zeitstempel, datum, horodatage, heure, fecha, hora, data ora, tijd, tijdstip, tidpunkt, aika, czas, on
        """,
    "technical_id": """
        trace id, span id, parent span id, parent id, traceparent, trace parent, tracestate, trace state,
        correlation id, correlation, request id, x request id, message id, event id, record id, batch id,
        transaction trace, ce id, uuid, causation id, b3, x b3 trace id, x b3 span id, x b3 sampled, job id, run
        id, build, commit, git sha, checksum, hash, digest, etag, key schema id, value schema id, txid, lsn,
        scn, gtid
        """,
}  # fmt: skip
"""Meaning -> phrases. The longest that a name ends with has the word."""

ABOUT = _set(
    """
    verified confirmed valid enabled disabled allowed required count total type kind status state format length size
    changed updated created at version flag opt optin consent domain provider present available template policy
    """
)
"""At the end of a name these say that it speaks about the thing before, and does not hold it."""

PEOPLE = _set(
    """
    customer cust cus client user usr member person people patient employee staff subscriber passenger guest tenant
    payer payee debtor creditor owner holder recipient sender buyer seller shopper driver rider student teacher donor
    beneficiary applicant borrower insured policyholder contact party individual citizen voter player profile account
    acc acct kunde kunden nutzer benutzer mitglied mitarbeiter patienten versicherter konto halter empfaenger absender
    cliente clientes usuario utilisateur personne salarie abonne utente persona pessoa klant gebruiker medewerker kund
    anvandare asiakas kayttaja klient uzytkownik osoba pracownik visitor lead partner
    """
)
"""Words for people, and for what stands for one."""

SAME_PEOPLE: dict[str, str] = {
    word: one
    for one, words in {
        "customer": "cust cus client kunde kunden cliente clientes klant kund asiakas klient buyer shopper subscriber",
        "user": "usr nutzer benutzer usuario utilisateur utente gebruiker anvandare kayttaja uzytkownik",
        "account": "acc acct konto",
        "employee": "staff mitarbeiter salarie medewerker pracownik",
        "person": "people individual personne persona pessoa osoba",
    }.items()
    for word in words.split()
}
"""Other words for the same, by which a domain is called."""

ID_WORDS = _set(
    """
    id ids no nr num number nummer numero key ref reference code uuid guid identifier identification kennung
    nbr numer pk sub
    """
)
"""At the end of a name these say that it holds the id of what stands before."""
